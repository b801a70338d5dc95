-- ---------------------------------------------------------------------
-- offer_click: what a lead sees when it is shown an offer
-- ---------------------------------------------------------------------
-- Question   What does the lead ask for, what does it get, and how does that compare with its other offers?
-- Grain      One row per offer, that is per offer_id; lead_uuid names the lead it was made to.
-- As of      The moment when all offers of the lead are shown together; no click enters.
-- Source     leads and offers, as scripts/load_offers.py makes them. To narrow it to some leads, put a CTE named
--            offers in front: WITH offers AS (SELECT ... FROM main.offers ...) SELECT * FROM (<this file>) AS f
-- Caveats    apr_rank is 1 for the cheapest offer of a lead; offers with the same APR share the better rank.
--            What is missing stays missing. requested_to_income is missing too where the income is 0 or negative:
--            no share of it would mean anything.
-- Settings   SQLite 3.25 and later (window functions). Leads and offers are reached by their indexes.
-- ---------------------------------------------------------------------
WITH compared AS (
    SELECT
        offer_id,
        lead_uuid,
        apr,
        lender_id,
        rank() OVER by_apr AS apr_rank,
        apr - first_value(apr) OVER by_apr AS apr_above_lowest,
        -- In the order of the others, so that the index offers_of_lead sorts for all three.
        count(*) OVER (by_apr ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS offers_of_lead
    FROM offers
    WINDOW by_apr AS (PARTITION BY lead_uuid ORDER BY apr)
)

SELECT
    cast(compared.offer_id AS text) AS offer_id,
    compared.lead_uuid,
    leads.requested,
    leads.loan_purpose,
    leads.credit,
    leads.annual_income,
    compared.apr,
    compared.lender_id,
    compared.apr_rank,
    compared.apr_above_lowest,
    compared.offers_of_lead,
    CASE WHEN leads.annual_income > 0 THEN leads.requested / leads.annual_income END AS requested_to_income
FROM compared
INNER JOIN leads ON compared.lead_uuid = leads.lead_uuid
