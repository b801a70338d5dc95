-- ---------------------------------------------------------------------
-- default_90d: whether the customer defaulted
-- ---------------------------------------------------------------------
-- Question   Did the customer default within 90 days?
-- Grain      One row per customer_id of labels.
-- As of      90 days after the transactions end.
-- Source     labels(customer_id, defaulted); defaulted_within_90d is another spelling of the column, see model.toml.
-- Caveats    A label without transactions joins to no features, and so trains nothing; the data-quality report
--            counts them.
-- ---------------------------------------------------------------------
SELECT
    trim(cast(customer_id AS varchar)) AS customer_id,
    defaulted
FROM labels
