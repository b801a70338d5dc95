-- ---------------------------------------------------------------------
-- offer_click: whether the lead clicked the offer
-- ---------------------------------------------------------------------
-- Question   Was the offer clicked?
-- Grain      One row per offer, with the ids of features.sql.
-- As of      The end of the clicks that were loaded: an offer shown shortly before then had little time.
-- Source     offers and clicks.
-- Caveats    Clicking twice counts as clicking.
-- ---------------------------------------------------------------------
SELECT
    cast(offers.offer_id AS text) AS offer_id,
    offers.lead_uuid,
    offers.offer_id IN (SELECT clicks.offer_id FROM clicks) AS clicked
FROM offers
