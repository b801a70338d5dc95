-- The floor of any such query: every array expanded, nothing read from its elements.
SELECT
    customer_id,
    snapshot_date,
    (SELECT count(*) FROM jsonb_array_elements(transactions)) AS transaction_count
FROM bank_transactions_scoring
