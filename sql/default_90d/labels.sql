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
    -- The blanks that readings.sql takes off too.
    trim(
        cast(customer_id AS varchar),
        ' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(8199) || chr(8201) || chr(8239) || chr(65279)
    ) AS customer_id,
    defaulted
FROM labels
