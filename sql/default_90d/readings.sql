-- ---------------------------------------------------------------------
-- default_90d: what the rows of transactions say, and what of them can't be read
-- ---------------------------------------------------------------------
-- Question   What is each transaction's amount, direction and time, and does it count?
-- Grain      One row per row of transactions. place counts them from 1.
-- As of      The files.
-- Source     transactions(customer_id, transaction_id, amount, type, description, timestamp), of any column types.
-- Reading    The features, the data-quality report and the counts in the summaries all read through this query.
--            * unread says why a row can't be read, NULL where it can. A value that is there and has no certain meaning
--              is never passed over: the features make a fault of its customer.
--            * left_out says why a row counts for nothing although it can be read: blank (no cell has a value), without
--              amount, repeated (the customer has the same under that transaction_id) or contradicting (the customer
--              has something else under that id; the earliest counts).
--            * Amounts: sign before or behind, or brackets; a currency before or behind; thousands parted by commas,
--              points, apostrophes or blanks. Where 1,234 could be 1234 or 1.234, the other amounts of the file
--              decide, if they all tell the same; otherwise it is unread. The same for 03/04/2025.
--            * Amounts of several currencies have no sum: those that aren't in the most frequent one are unread.
--            * Sign against type: the type decides, for signs get lost in exports. A debit of 45.99 and one of -45.99
--              are both 45.99 spent. Without a type a minus or a plus decides; an amount without either came in where
--              the file writes its debits with a minus, and is unread elsewhere.
--            * A transaction without a time comes last. Times with an offset are compared in UTC.
-- Caveats    Words for the types of other banks are added in `directions`.
-- Settings   DuckDB.
-- ---------------------------------------------------------------------
WITH marks AS (
    SELECT
        ' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(8199) || chr(8201) || chr(8239) || chr(65279) AS blanks,
        chr(8210) || chr(8211) || chr(8722) || chr(65293) AS minuses,
        chr(96) || chr(180) || chr(700) || chr(8216) || chr(8217) AS apostrophes
),

directions AS (
    SELECT
        ['debit', 'debits', 'debited', 'dr', 'd', 'db', 'deb', 'dbt', 'dbit', 'debito'] AS debits,
        ['credit', 'credits', 'credited', 'cr', 'c', 'crd', 'cdt', 'cred', 'crdt', 'credito'] AS credits
),

texts AS (
    SELECT
        row_number() OVER () AS place,
        nullif(trim(cast(transactions.customer_id AS varchar), marks.blanks), '') AS customer_id,
        nullif(trim(cast(transactions.transaction_id AS varchar), marks.blanks), '') AS transaction_id,
        nullif(trim(cast(transactions.description AS varchar), marks.blanks), '') AS description,
        nullif(trim(cast(transactions.type AS varchar), marks.blanks), '') AS type_text,
        nullif(trim(cast(transactions.timestamp AS varchar), marks.blanks), '') AS time_text,
        -- NaN is how a column of numbers holds nothing
        CASE
            WHEN typeof(transactions.amount) = 'VARCHAR' OR cast(transactions.amount AS varchar) <> 'nan'
                THEN nullif(trim(translate(
                    upper(cast(transactions.amount AS varchar)),
                    marks.blanks || marks.minuses || marks.apostrophes,
                    repeat(' ', length(marks.blanks))
                    || repeat('-', length(marks.minuses))
                    || repeat('''', length(marks.apostrophes))
                )), '')
        END AS amount_text,
        typeof(transactions.amount) <> 'VARCHAR' AS has_numbers
    FROM transactions
    CROSS JOIN marks
),

-- Amounts and times taken apart.
parted AS (
    SELECT
        *,
        trim(replace(amount_text, money_text, '')) AS bare,
        CASE money_text
            WHEN '$' THEN 'USD'
            WHEN 'US$' THEN 'USD'
            WHEN '£' THEN 'GBP'
            WHEN '€' THEN 'EUR'
            WHEN '¥' THEN 'JPY'
            WHEN '₹' THEN 'INR'
            ELSE money_text
        END AS monetary_unit,
        CASE
            WHEN list_contains(debits, type_word) THEN 'debit'
            WHEN list_contains(credits, type_word) THEN 'credit'
        END AS kind,
        regexp_extract(
            time_text, '^([0-9]{1,2})[-./]([0-9]{1,2})[-./]([0-9]{4})(?:[ T,]+(.*))?$', ['one', 'two', 'year', 'clock']
        ) AS numbered,
        regexp_extract(
            lower(time_text), '^([0-9]{1,2})[- ./]*([a-z]{3})[a-z]*[- ./,]*([0-9]{4})(?:[ t,]+(.*))?$',
            ['day', 'month', 'year', 'clock']
        ) AS worded,
        regexp_extract(time_text, '^([0-9]{4})([0-9]{2})([0-9]{2})$', ['year', 'month', 'day']) AS compact
    FROM (
        SELECT
            *,
            regexp_extract(
                amount_text,
                'AED|AUD|BGN|BHD|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|JOD|JPY|KES|KRW'
                || '|KWD|MAD|MXN|MYR|NGN|NOK|NZD|OMR|PEN|PHP|PKR|PLN|QAR|RON|RSD|RUB|SAR|SEK|SGD|THB|TND|TRY|TWD|UAH'
                || '|USD|VND|ZAR|(?:US|AU|CA|NZ|HK|SG|A|C|R|S)?[$]|[£€¥₹₩₽₺₪฿₫₦₱₴]|KČ|ZŁ|KR[.]?|FT|LEI|RS[.]?|S?FR[.]?'
            ) AS money_text,
            regexp_replace(strip_accents(lower(type_text)), '[^a-z]+', '', 'g') AS type_word
        FROM texts
        CROSS JOIN directions
    ) AS marked
),

-- A number may be read with a point before its decimals, with a comma, or both ways.
numbers AS (
    SELECT
        *,
        coalesce(regexp_full_match(
            body,
            '(?:[0-9]+|[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}'
            || '|[1-9][0-9]{0,2}(?: [0-9]{3})+|[1-9][0-9]{0,2}(?:''[0-9]{3})+)?(?:[.][0-9]*)?'
        ), FALSE) AS by_point,
        coalesce(regexp_full_match(
            body,
            '(?:[0-9]+|[1-9][0-9]{0,2}(?:[.][0-9]{3})+'
            || '|[1-9][0-9]{0,2}(?: [0-9]{3})+|[1-9][0-9]{0,2}(?:''[0-9]{3})+)?(?:,[0-9]*)?'
        ), FALSE) AS by_comma,
        regexp_matches(body, '[.,]') AS has_mark,
        CASE WHEN regexp_matches(bare, '^[-(]|-$') THEN -1 ELSE 1 END AS sign,
        coalesce(
            try_cast(
                worded.year || '-' || list_position(
                    ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'], worded.month
                ) || '-' || worded.day || ' ' || coalesce(nullif(worded.clock, ''), '00:00') AS timestamp
            ),
            try_cast(compact.year || '-' || compact.month || '-' || compact.day AS timestamp)
        ) AS in_words,
        try_cast(
            numbered.year || '-' || numbered.two || '-' || numbered.one || ' '
            || coalesce(nullif(numbered.clock, ''), '00:00') AS timestamp
        ) AS day_first,
        try_cast(
            numbered.year || '-' || numbered.one || '-' || numbered.two || ' '
            || coalesce(nullif(numbered.clock, ''), '00:00') AS timestamp
        ) AS month_first
    FROM (
        SELECT
            *,
            CASE
                WHEN
                    regexp_full_match(
                        bare,
                        '[-+]? *[0-9.,][0-9.,'' ]*|[0-9.,](?:[0-9.,'' ]*[0-9])? *[-+]|[(] *[0-9.,][0-9.,'' ]*[)]'
                    )
                    THEN trim(translate(bare, '-+()', ''))
            END AS body
        FROM parted
    ) AS bodies
),

-- Their values, where the text alone or the whole file says how they are meant.
habits AS (
    SELECT
        coalesce(bool_or(has_numbers OR (by_point AND NOT by_comma)), FALSE) AS has_points,
        coalesce(bool_or(by_comma AND NOT by_point), FALSE) AS has_commas,
        coalesce(bool_or(day_first IS NOT NULL AND month_first IS NULL), FALSE) AS has_days_first,
        coalesce(bool_or(month_first IS NOT NULL AND day_first IS NULL), FALSE) AS has_months_first,
        (
            SELECT other_numbers.monetary_unit
            FROM numbers AS other_numbers
            WHERE other_numbers.monetary_unit <> ''
            GROUP BY other_numbers.monetary_unit
            ORDER BY count(*) DESC, other_numbers.monetary_unit ASC
            LIMIT 1
        ) AS monetary_unit
    FROM numbers
),

valued AS (
    SELECT
        numbers.*,
        CASE
            WHEN numbers.amount_text IS NULL THEN NULL
            WHEN regexp_full_match(numbers.amount_text, '[-+]?[0-9]+(?:[.][0-9]*)?E[-+]?[0-9]+')
                THEN try_cast(numbers.amount_text AS decimal(18, 4))
            WHEN
                numbers.by_point
                AND (NOT numbers.by_comma OR NOT numbers.has_mark OR (habits.has_points AND NOT habits.has_commas))
                THEN numbers.sign * try_cast(translate(numbers.body, ', ''', '') AS decimal(18, 4))
            WHEN
                numbers.by_comma
                AND (NOT numbers.by_point OR (habits.has_commas AND NOT habits.has_points))
                THEN
                    numbers.sign
                    * try_cast(replace(translate(numbers.body, '. ''', ''), ',', '.') AS decimal(18, 4))
        END AS given_amount,
        numbers.by_point AND numbers.by_comma AND numbers.has_mark AS is_two_numbers,
        numbers.monetary_unit <> '' AND numbers.monetary_unit <> habits.monetary_unit AS is_other_money,
        CASE
            WHEN regexp_matches(numbers.time_text, ':[0-9.]+ ?[-+][0-9]{2}(:?[0-9]{2})?$')
                THEN make_timestamp(epoch_us(try_cast(numbers.time_text AS timestamptz)))
            WHEN numbers.day_first IS NULL AND numbers.month_first IS NULL
                THEN
                    CASE
                        -- years of four digits; zones with a name would be dropped in silence
                        WHEN
                            regexp_full_match(
                                numbers.time_text,
                                '[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}(?:[T ]+[0-9:.]+ ?(?:Z|UTC|GMT)?)?'
                            )
                            THEN try_cast(numbers.time_text AS timestamp)
                        ELSE numbers.in_words
                    END
            WHEN
                numbers.month_first IS NULL
                OR numbers.month_first = numbers.day_first
                OR (habits.has_days_first AND NOT habits.has_months_first)
                THEN numbers.day_first
            WHEN numbers.day_first IS NULL OR (habits.has_months_first AND NOT habits.has_days_first)
                THEN numbers.month_first
        END AS moment,
        numbers.day_first <> numbers.month_first AS is_two_days
    FROM numbers
    CROSS JOIN habits
),

-- Whether the file writes what was spent with a minus.
signs AS (
    SELECT
        coalesce(bool_or(given_amount < 0), FALSE)
        AND coalesce(sum(sign(given_amount)) FILTER (WHERE kind = 'debit'), 0) <= 0 AS has_minuses
    FROM valued
),

directed AS (
    SELECT
        valued.*,
        CASE
            WHEN valued.type_text IS NOT NULL THEN valued.kind
            WHEN valued.given_amount < 0 THEN 'debit'
            WHEN valued.given_amount > 0 AND (signs.has_minuses OR contains(valued.bare, '+')) THEN 'credit'
        END AS direction,
        CASE
            WHEN valued.kind = 'debit' THEN valued.given_amount <> 0 AND (valued.given_amount > 0) = signs.has_minuses
            WHEN valued.kind = 'credit' THEN valued.given_amount < 0
            ELSE FALSE
        END AS is_against_type,
        coalesce(
            valued.customer_id,
            valued.transaction_id,
            valued.description,
            valued.type_text,
            valued.time_text,
            valued.amount_text
        ) IS NULL AS is_blank
    FROM valued
    CROSS JOIN signs
),

judged AS (
    SELECT
        place,
        customer_id,
        transaction_id,
        description,
        type_text,
        kind,
        time_text,
        moment,
        amount_text,
        given_amount,
        direction,
        coalesce(is_against_type, FALSE) AS is_against_type,
        CASE direction
            WHEN 'debit' THEN -abs(given_amount)
            WHEN 'credit' THEN abs(given_amount)
            ELSE given_amount
        END AS amount,
        is_blank,
        CASE
            WHEN is_blank THEN NULL
            WHEN customer_id IS NULL THEN 'customer_id is empty'
            WHEN amount_text IS NOT NULL AND given_amount IS NULL
                THEN CASE WHEN is_two_numbers THEN 'amount can be read in two ways' ELSE 'amount is no number' END
            WHEN is_other_money THEN 'amount is in another currency than most'
            WHEN type_text IS NOT NULL AND kind IS NULL THEN 'type is neither debit nor credit'
            WHEN time_text IS NOT NULL AND moment IS NULL
                THEN CASE WHEN is_two_days THEN 'timestamp can be read in two ways' ELSE 'timestamp is no time' END
            WHEN given_amount <> 0 AND direction IS NULL THEN 'type is empty, and the sign says nothing'
        END AS unread
    FROM directed
),

numbered AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY customer_id, transaction_id
            ORDER BY
                unread IS NOT NULL ASC,
                amount IS NULL ASC,
                moment ASC NULLS LAST,
                amount ASC,
                description ASC,
                place ASC
        ) AS nth_of_id,
        row_number() OVER (
            PARTITION BY customer_id, transaction_id, unread, amount, direction, description, moment
            ORDER BY place
        ) AS nth_of_same
    FROM judged
)

SELECT
    place,
    customer_id,
    transaction_id,
    amount,
    direction,
    coalesce(description, '') AS description,
    moment,
    unread,
    CASE
        WHEN is_blank THEN 'blank'
        WHEN unread IS NOT NULL THEN NULL
        WHEN amount IS NULL THEN 'without amount'
        WHEN transaction_id IS NOT NULL AND nth_of_same > 1 THEN 'repeated'
        WHEN transaction_id IS NOT NULL AND nth_of_id > 1 THEN 'contradicting'
    END AS left_out,
    NOT is_blank AND amount_text IS NULL AS has_no_amount,
    NOT is_blank AND type_text IS NULL AS has_no_type,
    NOT is_blank AND time_text IS NULL AS has_no_time,
    is_against_type
FROM numbered
ORDER BY place
