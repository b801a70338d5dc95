-- ---------------------------------------------------------------------
-- credit_risk: the thirteen features of a customer's bank ledger
-- ---------------------------------------------------------------------
-- Question   What did the account look like in the days before the snapshot date?
-- Grain      One row per row of bank_transactions_scoring, that is per (customer_id, snapshot_date).
-- As of      S = snapshot_date at 00:00 UTC. Windows are closed below and open above: ts >= S - 30 days
--            and ts >= S - 90 days. What is dated after S therefore counts everywhere;
--            transactions_after_snapshot says how many there were.
-- Source     bank_transactions_scoring(customer_id, snapshot_date, transactions JSONB), read once, row by row.
--            To narrow it, or to read the training table, put a CTE of that name in front:
--            WITH bank_transactions_scoring AS (SELECT ... FROM bank_transactions) SELECT * FROM (<this file>) f
--            For that reason the file ends without a semicolon; psql runs it as it stands.
-- Faults     A row that cannot be read is never half computed and never stops the run: its features are NULL and
--            data_fault names the first faulty transaction (counted from 1) and the reason, without any value.
-- Words      type, category and status are compared without capitals and surrounding blanks, with the words of
--            `vocabulary` below and no others: add your bank's there. Any other type is a fault. Any other category
--            counts as no particular one; how many transactions have one, and how many in a thousand (of the ledger or
--            of its last 90 days, whichever is more), stands in columns behind the features; so it is with status.
-- Caveats    Reversed transactions count. ts: date and time to the second, fraction and offset optional, UTC where
--            there is no offset, years 1000 to 9999. amount: JSON number or numeric string (sign, exponent and
--            blanks around it allowed), at least 0, below 1e15. NULL and JSON null transactions are an empty ledger.
-- Settings   No session setting (TimeZone, DateStyle, ...) enters a feature: times are compared as UTC text.
--            Works on PostgreSQL 13 and later.
-- ---------------------------------------------------------------------
WITH vocabulary (kind, meaning, words) AS (
    -- What a transaction counts as, and the words for it. '' is the word of a transaction that has none: whoever takes
    -- a missing category for a harmless one adds it there. A status is looked up, yet leaves nothing out of any total.
    VALUES
    ('type', 'credit', ARRAY['credit', 'cr', 'c', 'crdt']),
    ('type', 'debit', ARRAY['debit', 'dr', 'd', 'dbit']),
    ('category', 'salary', ARRAY['salary']),
    ('category', 'fees', ARRAY['fees']),
    ('category', 'gambling', ARRAY['gambling']),
    ('category', 'cash_withdrawal', ARRAY['cash_withdrawal']),
    ('category', 'other', ARRAY[
        'groceries', 'restaurants', 'dining', 'transport', 'fuel', 'travel', 'shopping', 'health', 'entertainment',
        'education', 'subscriptions', 'rent', 'mortgage', 'utilities', 'telecom', 'insurance', 'loan_repayment',
        'investment', 'savings', 'tax', 'charity', 'transfer', 'business_income', 'pension', 'refund', 'other'
    ]),
    ('status', 'any', ARRAY[
        '', 'success', 'completed', 'posted', 'booked', 'settled', 'pending', 'reversed', 'refunded', 'failed',
        'declined', 'cancelled'
    ])
),

-- The same the other way round, as objects from word to meaning, and what is stripped off a word: Unicode's blanks, the
-- zero-width space and the byte order mark. Encodings other than UTF8 have only those of ASCII.
turned_vocabulary AS (
    SELECT
        jsonb_object_agg(word, meaning) FILTER (WHERE kind = 'type') AS type_words,
        jsonb_object_agg(word, meaning) FILTER (WHERE kind = 'category') AS category_words,
        jsonb_object_agg(word, meaning) FILTER (WHERE kind = 'status') AS status_words,
        (
            SELECT string_agg(chr(code_point), '')
            FROM
                unnest(
                    '{9,10,11,12,13,28,29,30,31,32,133,160,5760,8192,8193,8194,8195,8196,8197,8198,8199,8200,8201,8202,'
                    '8203,8232,8233,8239,8287,12288,65279}'::int[]
                ) AS code_point
            WHERE code_point < 128 OR getdatabaseencoding() = 'UTF8'
        ) AS blanks
    FROM (
        SELECT
            vocabulary.kind,
            vocabulary.meaning,
            lower(listed.word COLLATE "C") AS word
        FROM vocabulary
        CROSS JOIN LATERAL unnest(vocabulary.words) AS listed (word)
    ) AS listed_words
),

patterns AS (
    -- What matches here can be cast without an error; before PostgreSQL 16 there is no other way to know.
    SELECT
        '^((^| )' || instant || 'Z([.][0-9]+)?)*$' AS utc_instants,
        '^' || instant || '([.][0-9]+)?([Zz]|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?$' AS timestamp_text,
        -- Where an offset could carry a ts out of the four-digit years.
        '^(9999-12-31.*-|1000-01-01.*[+])[0-9:]+$' AS year_leaving_text,
        '^(?!.{101}) *[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})? *$' AS amount_text
    FROM (
        SELECT
            '(([1-9][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])'
            || '|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8])))'
            || '|([1-9][0-9](0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26])00)-02-29)'
            || '[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]' AS instant
    ) AS calendar
),

-- The windows as text, and the array decompressed once (#> with an empty path returns the whole value).
-- OFFSET 0, here and below, keeps the planner from copying an expression into every place that uses it.
customers AS (
    SELECT
        source.customer_id,
        source.snapshot_date,
        given.*,
        patterns.*,
        turned_vocabulary.*
    FROM bank_transactions_scoring AS source
    CROSS JOIN patterns
    CROSS JOIN turned_vocabulary
    CROSS JOIN LATERAL (
        SELECT
            valid.snapshot_day,
            source.transactions #> '{}' AS transactions,
            to_char(valid.snapshot_day, 'YYYY-MM-DD"T00:00:00Z.000"') AS snapshot_instant,
            to_char(valid.snapshot_day - interval '30 days', 'YYYY-MM-DD') AS day_30,
            to_char(valid.snapshot_day - interval '90 days', 'YYYY-MM-DD') AS day_90,
            -- Memoize (PostgreSQL 14 and later) would hash every array in case it came twice; json has no hash.
            json 'null' AS not_memoizable
        FROM (
            SELECT
                CASE
                    WHEN source.snapshot_date BETWEEN date '1900-01-01' AND date '9999-12-31'
                        THEN source.snapshot_date::timestamp
                END AS snapshot_day
        ) AS valid
        OFFSET 0
    ) AS given
),

-- One aggregate per array: nothing is sorted or hashed across customers, and a cursor streams. HAVING lets a ledger
-- through only when every transaction is readable; for any other the LEFT JOIN leaves every total NULL.
ledgers AS (
    SELECT
        customers.*,
        totals.*
    FROM customers
    LEFT JOIN LATERAL (
        -- Sums of nothing are 0. Twenty decimals: casting anything smaller to float8 could underflow.
        SELECT
            TRUE AS is_sound,
            round(coalesce(sum(amount) FILTER (WHERE in_30_days AND is_credit), 0), 20) AS credits_30d,
            round(coalesce(sum(amount) FILTER (WHERE in_30_days AND is_debit), 0), 20) AS debits_30d,
            count(*) FILTER (WHERE in_30_days AND is_credit) AS credit_count_30d,
            count(*) FILTER (WHERE in_30_days AND is_debit) AS debit_count_30d,
            count(*) FILTER (WHERE in_30_days AND amount >= 500) AS big_count_30d,
            round(coalesce(sum(amount) FILTER (WHERE in_90_days AND is_credit), 0), 20) AS credits_90d,
            round(coalesce(sum(amount) FILTER (WHERE in_90_days AND is_debit), 0), 20) AS debits_90d,
            round(coalesce(
                sum(amount) FILTER (WHERE in_90_days AND is_debit AND category = 'gambling'), 0
            ), 20) AS gambling_90d,
            round(coalesce(sum(amount) FILTER (WHERE in_90_days AND category = 'cash_withdrawal'), 0), 20) AS cash_90d,
            count(*) FILTER (WHERE in_90_days AND category = 'fees') AS fee_count_90d,
            array_agg(merchant) FILTER (WHERE in_90_days) AS merchants_90d,
            max(instant) FILTER (WHERE category = 'salary') AS last_salary,
            count(*) FILTER (WHERE instant > customers.snapshot_instant) AS count_after_snapshot,
            -- of known words
            count(*) AS transaction_count,
            count(category) AS category_count,
            count(category) FILTER (WHERE in_90_days) AS category_count_90d,
            count(status) AS status_count,
            count(status) FILTER (WHERE in_90_days) AS status_count_90d
        FROM (
            SELECT
                instant,
                category,
                status,
                merchant,
                CASE WHEN number >= 0 AND number < 1e15 THEN number END AS amount,
                is_credit,
                NOT is_credit AS is_debit,
                instant >= customers.day_30 AS in_30_days,
                instant >= customers.day_90 AS in_90_days
            FROM (
                SELECT
                    -- As declared, or without capitals and blanks; C, since other collations have other capitals.
                    CASE type
                        WHEN 'credit' THEN TRUE
                        WHEN 'debit' THEN FALSE
                        ELSE CASE customers.type_words ->> lower(btrim(type, customers.blanks) COLLATE "C")
                            WHEN 'credit' THEN TRUE
                            WHEN 'debit' THEN FALSE
                        END
                    END AS is_credit,
                    coalesce(
                        customers.category_words ->> category,
                        customers.category_words ->> lower(btrim(coalesce(category, ''), customers.blanks) COLLATE "C")
                    ) AS category,
                    coalesce(
                        customers.status_words ->> status,
                        customers.status_words ->> lower(btrim(coalesce(status, ''), customers.blanks) COLLATE "C")
                    ) AS status,
                    merchant,
                    -- UTC as sortable text: 2025-08-30T14:05:00Z, with a fraction 2025-08-30T14:05:00Z.25.
                    -- The usual spellings need no cast, so nothing about them is checked before the end.
                    (CASE
                        WHEN ts LIKE '____-__-__T__:__:__Z' THEN ts
                        WHEN ts LIKE '____-__-__T__:__:__+00:00' THEN left(ts, 19) || 'Z'
                        WHEN ts LIKE '____-__-__T__:__:__.___Z' THEN left(ts, 19) || 'Z' || substr(ts, 20, 4)
                        WHEN ts ~ customers.timestamp_text
                            THEN
                                to_char(
                                    -- without fraction, and with an offset
                                    (
                                        left(ts, 19)
                                        || coalesce(nullif(ltrim(substr(ts, 20), '.0123456789'), ''), 'Z')
                                    )::timestamptz AT TIME ZONE 'UTC',
                                    'YYYY-MM-DD"T"HH24:MI:SS"Z"'
                                )
                                || coalesce(rtrim(substring(ts FROM '[.][0-9]+'), '0.'), '')
                    END) COLLATE "C" AS instant,
                    CASE jsonb_typeof(amount)
                        WHEN 'number' THEN amount::numeric
                        WHEN 'string'
                            THEN CASE WHEN amount #>> '{}' ~ customers.amount_text THEN (amount #>> '{}')::numeric END
                    END AS number
                FROM (
                    SELECT
                        element ->> 'ts' AS ts,
                        element -> 'amount' AS amount,
                        element ->> 'type' AS type,
                        element ->> 'category' AS category,
                        element ->> 'status' AS status,
                        (element ->> 'merchant') COLLATE "C" AS merchant
                    FROM
                        jsonb_array_elements(
                            CASE jsonb_typeof(customers.transactions) WHEN 'array' THEN customers.transactions END
                        ) AS element
                    WHERE customers.not_memoizable IS NOT NULL
                    OFFSET 0
                ) AS extracted
                OFFSET 0
            ) AS decoded
            OFFSET 0
        ) AS flagged
        -- One regular expression per ledger, not per transaction: a ts of canonical shape was not looked into so far.
        HAVING
            customers.snapshot_day IS NOT NULL
            AND coalesce(jsonb_typeof(customers.transactions) IN ('array', 'null'), TRUE)
            AND count(*) = count(*) FILTER (
                WHERE instant IS NOT NULL AND amount IS NOT NULL AND is_credit IS NOT NULL
            )
            AND coalesce(string_agg(instant, ' ') ~ customers.utc_instants, TRUE)
    ) AS totals ON TRUE
)

SELECT
    customer_id,
    snapshot_date,
    credits_30d::float8 AS income_inflow_30d,
    debits_30d::float8 AS spend_outflow_30d,
    CASE WHEN debits_90d = 0 THEN 0 ELSE gambling_90d::float8 / debits_90d::float8 END AS pct_gambling_spend_90d,
    CASE
        WHEN is_sound
            -- NULL and missing are no merchant.
            THEN (
                SELECT count(*)
                FROM (SELECT DISTINCT merchant FROM unnest(merchants_90d) AS merchant) AS merchants
                WHERE merchant IS NOT NULL
            )::int
    END AS merchant_diversity_90d,
    CASE WHEN debit_count_30d = 0 THEN 0 ELSE debits_30d::float8 / debit_count_30d END AS avg_debit_amt_30d,
    big_count_30d::int AS num_big_txn_30d,
    CASE
        -- Whole days elapsed: the days between the dates, less one where the salary came after midnight.
        WHEN last_salary IS NOT NULL
            THEN
                snapshot_date - left(last_salary, 10)::date
                - (last_salary > left(last_salary, 10) || 'T00:00:00Z.000')::int
        WHEN is_sound THEN 999
    END AS days_since_last_salary,
    debits_90d::float8 / CASE WHEN credits_90d = 0 THEN 1e-6 ELSE credits_90d::float8 END AS debit_credit_ratio_90d,
    fee_count_90d::int AS late_fee_count_90d,
    debit_count_30d::int AS debit_txn_count_30d,
    credit_count_30d::int AS credit_txn_count_30d,
    (credits_30d - debits_30d)::float8 AS net_cash_flow_30d,
    cash_90d::float8 AS cash_withdrawal_90d,
    count_after_snapshot::int AS transactions_after_snapshot,
    (transaction_count - category_count)::int AS transactions_of_unknown_category,
    (transaction_count - status_count)::int AS transactions_of_unknown_status,
    -- Rounded up; of the ledger or of its 90 days, since an old ledger could hide that the bank's words have changed.
    CASE
        WHEN is_sound
            THEN coalesce(ceil(1000 * greatest(
                1 - category_count / nullif(transaction_count, 0)::numeric,
                1 - category_count_90d / cardinality(merchants_90d)::numeric
            )), 0)
    END::int AS unknown_categories_per_thousand,
    CASE
        WHEN is_sound
            THEN coalesce(ceil(1000 * greatest(
                1 - status_count / nullif(transaction_count, 0)::numeric,
                1 - status_count_90d / cardinality(merchants_90d)::numeric
            )), 0)
    END::int AS unknown_statuses_per_thousand,
    CASE
        WHEN is_sound THEN NULL
        WHEN snapshot_date IS NULL THEN 'snapshot_date is missing'
        WHEN snapshot_day IS NULL THEN 'snapshot_date is not between 1900 and 9999'
        WHEN jsonb_typeof(transactions) <> 'array' THEN 'transactions is not an array'
        ELSE (
            SELECT 'transaction ' || found.position || ': ' || found.reason
            FROM (
                SELECT
                    listed.position,
                    CASE
                        WHEN jsonb_typeof(listed.element) <> 'object' THEN 'is not an object'
                        WHEN listed.element ->> 'ts' IS NULL THEN 'ts is missing'
                        WHEN
                            listed.element ->> 'ts' !~ ledgers.timestamp_text
                            OR listed.element ->> 'ts' ~ ledgers.year_leaving_text
                            THEN 'ts is not a date and time'
                        WHEN listed.element ->> 'amount' IS NULL THEN 'amount is missing'
                        WHEN
                            jsonb_typeof(listed.element -> 'amount') NOT IN ('number', 'string')
                            OR (
                                jsonb_typeof(listed.element -> 'amount') = 'string'
                                AND listed.element ->> 'amount' !~ ledgers.amount_text
                            )
                            THEN 'amount is not a number'
                        WHEN (listed.element ->> 'amount')::numeric < 0 THEN 'amount is negative'
                        WHEN (listed.element ->> 'amount')::numeric >= 1e15 THEN 'amount is not below 1e15'
                        WHEN
                            coalesce(
                                ledgers.type_words
                                ->> lower(btrim(listed.element ->> 'type', ledgers.blanks) COLLATE "C"),
                                ''
                            ) NOT IN ('credit', 'debit')
                            THEN 'type is neither credit nor debit'
                    END AS reason
                FROM jsonb_array_elements(ledgers.transactions) WITH ORDINALITY AS listed (element, position)
            ) AS found
            WHERE found.reason IS NOT NULL
            ORDER BY found.position
            LIMIT 1
        )
    END AS data_fault
FROM ledgers
