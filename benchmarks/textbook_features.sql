-- The yardstick: the thirteen features as one writes them first. Expand into rows, then FILTER and GROUP BY.
-- Sound data only: a ts without an offset, an empty array or an amount that is no number is not provided for.
WITH expanded AS (
    SELECT
        ledger.customer_id,
        ledger.snapshot_date,
        ledger.snapshot_date::timestamp AT TIME ZONE 'UTC' AS midnight,
        (txn ->> 'ts')::timestamptz AS ts,
        (txn ->> 'amount')::numeric AS amount,
        txn ->> 'type' AS type,
        txn ->> 'category' AS category,
        txn ->> 'merchant' AS merchant
    FROM bank_transactions_scoring AS ledger
    CROSS JOIN LATERAL jsonb_array_elements(ledger.transactions) AS txn
),

totals AS (
    SELECT
        customer_id,
        snapshot_date,
        sum(amount) FILTER (WHERE type = 'credit' AND ts >= midnight - interval '30 days') AS credits_30d,
        sum(amount) FILTER (WHERE type = 'debit' AND ts >= midnight - interval '30 days') AS debits_30d,
        sum(amount) FILTER (WHERE type = 'credit' AND ts >= midnight - interval '90 days') AS credits_90d,
        sum(amount) FILTER (WHERE type = 'debit' AND ts >= midnight - interval '90 days') AS debits_90d,
        sum(amount) FILTER (
            WHERE type = 'debit' AND category = 'gambling' AND ts >= midnight - interval '90 days'
        ) AS gambling_90d,
        sum(amount) FILTER (
            WHERE category = 'cash_withdrawal' AND ts >= midnight - interval '90 days'
        ) AS cash_90d,
        count(DISTINCT merchant) FILTER (WHERE ts >= midnight - interval '90 days') AS merchants_90d,
        avg(amount) FILTER (WHERE type = 'debit' AND ts >= midnight - interval '30 days') AS mean_debit_30d,
        count(*) FILTER (WHERE amount >= 500 AND ts >= midnight - interval '30 days') AS big_count_30d,
        count(*) FILTER (WHERE category = 'fees' AND ts >= midnight - interval '90 days') AS fee_count_90d,
        count(*) FILTER (WHERE type = 'debit' AND ts >= midnight - interval '30 days') AS debit_count_30d,
        count(*) FILTER (WHERE type = 'credit' AND ts >= midnight - interval '30 days') AS credit_count_30d,
        min(midnight) - max(ts) FILTER (WHERE category = 'salary') AS since_salary
    FROM expanded
    GROUP BY customer_id, snapshot_date
)

SELECT
    customer_id,
    snapshot_date,
    coalesce(credits_30d, 0)::float8 AS income_inflow_30d,
    coalesce(debits_30d, 0)::float8 AS spend_outflow_30d,
    coalesce(gambling_90d / nullif(debits_90d, 0), 0)::float8 AS pct_gambling_spend_90d,
    merchants_90d::int AS merchant_diversity_90d,
    coalesce(mean_debit_30d, 0)::float8 AS avg_debit_amt_30d,
    big_count_30d::int AS num_big_txn_30d,
    coalesce(floor(extract(EPOCH FROM since_salary) / 86400), 999)::int AS days_since_last_salary,
    (coalesce(debits_90d, 0) / coalesce(nullif(credits_90d, 0), 1e-6))::float8 AS debit_credit_ratio_90d,
    fee_count_90d::int AS late_fee_count_90d,
    debit_count_30d::int AS debit_txn_count_30d,
    credit_count_30d::int AS credit_txn_count_30d,
    (coalesce(credits_30d, 0) - coalesce(debits_30d, 0))::float8 AS net_cash_flow_30d,
    coalesce(cash_90d, 0)::float8 AS cash_withdrawal_90d
FROM totals
