-- ---------------------------------------------------------------------
-- default_90d: what a customer's bank transactions say
-- ---------------------------------------------------------------------
-- Question   How much comes in and goes out, for what, and how close to the edge?
-- Grain      One row per customer_id of transactions. A customer without transactions has no row: nothing is known.
-- As of      The files: every transaction in them counts, so they end where the 90 days of the label begin.
-- Source     readings(...), the query beside this file that reads transactions, and merchant_words(word, category,
--            direction), beside it too.
-- Faults     data_fault names the first of a customer's transactions that can't be read, by its place in the file, and
--            why; a row without a customer_id holds those of nobody. unread_share is the part of the customer's
--            transactions that can't be read, so that model.toml may tolerate some; they don't count then.
-- Signs      What was spent is negative: total_debit, avg_amount, lowest_balance.
-- Caveats    A description is compared in lower case, without accents, punctuation and digits; words match whole:
--            "RENT 04/25" is rent, "RENTAL CAR" and "CURRENT" are not. It may be of several categories. direction says
--            whether debits, credits or both count for a word: a salary is a credit, and a shop's refund no shopping.
--            An amount of 0 counts as a transaction, and as nothing else.
-- Settings   DuckDB. Sums are of decimals, so their order leaves no trace.
-- ---------------------------------------------------------------------
WITH given AS (
    SELECT *
    FROM readings
    WHERE left_out IS DISTINCT FROM 'blank'
),

directed AS (
    SELECT
        customer_id,
        transaction_id,
        moment,
        description,
        direction,
        amount
    FROM given
    WHERE left_out IS NULL AND unread IS NULL
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
        count(*) AS num_transactions,
        coalesce(sum(amount) FILTER (WHERE direction = 'debit'), 0) AS total_debit,
        coalesce(sum(amount) FILTER (WHERE direction = 'credit'), 0) AS total_credit,
        sum(amount) AS net,
        count(*) FILTER (WHERE list_contains(categories, 'rent')) AS rent_count,
        count(*) FILTER (WHERE list_contains(categories, 'salary')) AS salary_count,
        count(*) FILTER (WHERE list_contains(categories, 'groceries')) AS groceries_count,
        count(*) FILTER (WHERE list_contains(categories, 'subscriptions')) AS subscriptions_count,
        count(*) FILTER (WHERE list_contains(categories, 'transfer')) AS transfer_count,
        count(*) FILTER (WHERE list_contains(categories, 'gambling')) AS gambling_count,
        count(*) FILTER (WHERE list_contains(categories, 'utilities')) AS utilities_count,
        count(*) FILTER (WHERE list_contains(categories, 'loans')) AS loans_count,
        count(*) FILTER (WHERE list_contains(categories, 'fees')) AS fees_count,
        count(*) FILTER (WHERE list_contains(categories, 'cash')) AS cash_count,
        coalesce(sum(amount) FILTER (WHERE list_contains(categories, 'gambling')), 0) AS gambled,
        min(balance) AS lowest_balance
    FROM running
    GROUP BY customer_id
),

-- Of all customers, those of whom nothing counts among them.
customers AS (
    SELECT
        customer_id,
        count(*) AS transactions,
        count(unread) AS unread_transactions,
        min(place) FILTER (WHERE unread IS NOT NULL) AS first_unread,
        min_by(unread, place) FILTER (WHERE unread IS NOT NULL) AS why_unread,
        count(*) FILTER (WHERE left_out = 'contradicting') AS contradicting_transactions
    FROM given
    GROUP BY customer_id
)

SELECT
    customers.customer_id,
    coalesce(summed.num_transactions, 0) AS num_transactions,
    cast(summed.total_debit AS double) AS total_debit,
    cast(summed.total_credit AS double) AS total_credit,
    cast(summed.net AS double) / summed.num_transactions AS avg_amount,
    cast(summed.rent_count > 0 AS integer) AS has_rent,
    cast(summed.salary_count > 0 AS integer) AS has_salary,
    summed.rent_count,
    summed.salary_count,
    summed.groceries_count,
    summed.subscriptions_count,
    summed.transfer_count,
    summed.gambling_count,
    summed.utilities_count,
    summed.loans_count,
    summed.fees_count,
    summed.cash_count,
    -- Who spent nothing gambled no part of it.
    coalesce(cast(-summed.gambled AS double) / nullif(cast(-summed.total_debit AS double), 0), 0) AS gambling_share,
    -- Counted from where the files begin; 0 for an account that was never below that.
    cast(least(summed.lowest_balance, 0) AS double) AS lowest_balance,
    customers.unread_transactions,
    customers.contradicting_transactions,
    CASE
        WHEN customers.customer_id IS NOT NULL AND summed.num_transactions > 0
            THEN customers.unread_transactions / customers.transactions
    END AS unread_share,
    CASE
        WHEN customers.unread_transactions > 0
            THEN
                customers.unread_transactions || ' of ' || customers.transactions
                || ' transactions can''t be read, the first in row ' || customers.first_unread
                || ' of the file: ' || customers.why_unread
        WHEN summed.num_transactions IS NULL THEN 'no transaction has an amount'
    END AS data_fault
FROM customers
LEFT JOIN summed ON customers.customer_id = summed.customer_id
ORDER BY customers.customer_id
