-- ---------------------------------------------------------------------
-- default_90d: what a customer's bank transactions say
-- ---------------------------------------------------------------------
-- Question   How much comes in and goes out, for what, and how close to the edge?
-- Grain      One row per customer_id of transactions. A customer without transactions has no row: nothing is known.
-- As of      The files: every transaction in them counts, so they end where the 90 days of the label begin.
-- Source     transactions(customer_id, transaction_id, amount, type, description, timestamp), of any column types;
--            merchant_words(word, category, direction), beside this file.
-- Repairs    What the data-quality report counts is settled here, the same way each time:
--            * Sign against type: the type decides, for signs get lost in exports. A debit of 45.99 and one of -45.99
--              both are 45.99 spent. Without a type of debit or credit the sign decides.
--            * A transaction_id that a customer has more than once counts once, as its earliest. One without an id
--              counts as it stands.
--            * An amount that cannot be read does not count. Where a customer has no other, data_fault says so, and the
--              row is reported rather than scored as an empty account.
--            * A timestamp that cannot be read puts its transaction last.
-- Caveats    A description is compared in lower case, without accents, punctuation and digits; words match whole:
--            "RENT 04/25" is rent, "RENTAL CAR" and "CURRENT" are not. It may be of several categories. direction says
--            whether debits, credits or both count for a word: a salary is a credit, and a shop's refund no shopping.
--            An amount of 0 counts as a transaction, and as nothing else.
-- Settings   DuckDB. Sums are of decimals, so their order leaves no trace.
-- ---------------------------------------------------------------------
WITH given AS (
    SELECT
        nullif(trim(cast(customer_id AS varchar)), '') AS customer_id,
        nullif(trim(cast(transaction_id AS varchar)), '') AS transaction_id,
        try_cast(trim(cast(amount AS varchar)) AS decimal(18, 4)) AS amount,
        lower(trim(cast(type AS varchar))) AS kind,
        coalesce(cast(description AS varchar), '') AS description,
        try_cast(trim(cast(timestamp AS varchar)) AS timestamp) AS moment
    FROM transactions
),

once AS (
    SELECT *
    FROM given
    WHERE customer_id IS NOT NULL
    QUALIFY
        transaction_id IS NULL
        OR row_number() OVER (
            PARTITION BY customer_id, transaction_id
            ORDER BY moment NULLS LAST, amount NULLS LAST, kind, description
        ) = 1
),

directed AS (
    SELECT
        customer_id,
        transaction_id,
        moment,
        description,
        CASE
            WHEN kind IN ('credit', 'debit') THEN kind
            WHEN amount > 0 THEN 'credit'
            WHEN amount < 0 THEN 'debit'
        END AS direction,
        CASE
            WHEN kind = 'credit' THEN abs(amount)
            WHEN kind = 'debit' THEN -abs(amount)
            ELSE amount
        END AS amount
    FROM once
),

-- One row per description as it stands: there are far fewer than transactions once their digits are gone.
described AS (
    SELECT
        description,
        -- An apostrophe joins (SAINSBURY'S), anything else separates (NETFLIX.COM).
        ' ' || trim(regexp_replace(
            regexp_replace(strip_accents(lower(description)), '[''’]', '', 'g'), '[^a-z]+', ' ', 'g'
        )) || ' ' AS words
    FROM (SELECT DISTINCT description FROM directed) AS distinct_descriptions
),

cleaned AS (
    SELECT DISTINCT words
    FROM described
),

categories AS (
    SELECT
        cleaned.words,
        merchant_words.category,
        merchant_words.direction
    FROM cleaned
    INNER JOIN merchant_words ON contains(cleaned.words, ' ' || merchant_words.word || ' ')
    GROUP BY cleaned.words, merchant_words.category, merchant_words.direction
),

-- One row per transaction, with the categories whose words it has.
sorted AS (
    SELECT
        directed.customer_id,
        directed.transaction_id,
        directed.moment,
        directed.direction,
        directed.amount,
        described.words,
        coalesce((
            SELECT list(DISTINCT categories.category)
            FROM categories
            WHERE
                directed.amount <> 0
                AND categories.words = described.words
                AND categories.direction IN (directed.direction, 'any')
        ), []) AS categories
    FROM directed
    INNER JOIN described ON directed.description = described.description
),

running AS (
    SELECT
        *,
        -- What came in less what went out until then; credits first where times agree, then in any fixed order.
        sum(amount) OVER (
            PARTITION BY customer_id
            ORDER BY moment ASC NULLS LAST, amount DESC, transaction_id ASC, words ASC
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS balance
    FROM sorted
),

summed AS (
    SELECT
        customer_id,
        count(amount) AS num_transactions,
        coalesce(sum(-amount) FILTER (WHERE direction = 'debit'), 0) AS total_debit,
        coalesce(sum(amount) FILTER (WHERE direction = 'credit'), 0) AS total_credit,
        sum(amount) AS net,
        count(amount) FILTER (WHERE list_contains(categories, 'rent')) AS rent_count,
        count(amount) FILTER (WHERE list_contains(categories, 'salary')) AS salary_count,
        count(amount) FILTER (WHERE list_contains(categories, 'groceries')) AS groceries_count,
        count(amount) FILTER (WHERE list_contains(categories, 'subscriptions')) AS subscriptions_count,
        count(amount) FILTER (WHERE list_contains(categories, 'transfer')) AS transfer_count,
        count(amount) FILTER (WHERE list_contains(categories, 'gambling')) AS gambling_count,
        count(amount) FILTER (WHERE list_contains(categories, 'utilities')) AS utilities_count,
        count(amount) FILTER (WHERE list_contains(categories, 'loans')) AS loans_count,
        count(amount) FILTER (WHERE list_contains(categories, 'fees')) AS fees_count,
        count(amount) FILTER (WHERE list_contains(categories, 'cash')) AS cash_count,
        coalesce(sum(-amount) FILTER (WHERE list_contains(categories, 'gambling')), 0) AS gambled,
        min(balance) AS lowest_balance
    FROM running
    GROUP BY customer_id
)

SELECT
    customer_id,
    num_transactions,
    cast(total_debit AS double) AS total_debit,
    cast(total_credit AS double) AS total_credit,
    cast(net AS double) / nullif(num_transactions, 0) AS avg_amount,
    cast(rent_count > 0 AS integer) AS has_rent,
    cast(salary_count > 0 AS integer) AS has_salary,
    rent_count,
    salary_count,
    groceries_count,
    subscriptions_count,
    transfer_count,
    gambling_count,
    utilities_count,
    loans_count,
    fees_count,
    cash_count,
    -- Who spent nothing gambled no part of it.
    coalesce(cast(gambled AS double) / nullif(cast(total_debit AS double), 0), 0) AS gambling_share,
    -- Counted from where the files begin; 0 for an account that was never below that.
    cast(least(coalesce(lowest_balance, 0), 0) AS double) AS lowest_balance,
    CASE WHEN num_transactions = 0 THEN 'no transaction has an amount that can be read' END AS data_fault
FROM summed
ORDER BY customer_id
