-- ---------------------------------------------------------------------
-- default_90d: how many transactions can't be read, are left out, or are read by a rule
-- ---------------------------------------------------------------------
-- Question   What do the features make of the files as a whole? The summaries of scoring and training tell it.
-- Grain      One row; each column is a count, and its name says of what.
-- As of      The files.
-- Source     readings(...), the query beside this file.
-- Caveats    A transaction may be counted by several columns from without_type on: these count.
-- ---------------------------------------------------------------------
SELECT
    count(*) FILTER (WHERE left_out IS DISTINCT FROM 'blank') AS transactions,
    count(unread) AS unread,
    count(*) FILTER (WHERE left_out = 'without amount') AS without_amount,
    count(*) FILTER (WHERE left_out = 'repeated') AS repeated,
    count(*) FILTER (WHERE left_out = 'contradicting') AS contradicting,
    count(*) FILTER (WHERE left_out = 'blank') AS blank,
    count(*) FILTER (WHERE left_out IS NULL AND unread IS NULL AND has_no_type) AS without_type,
    count(*) FILTER (WHERE left_out IS NULL AND unread IS NULL AND is_against_type) AS against_their_type,
    count(*) FILTER (WHERE left_out IS NULL AND unread IS NULL AND moment IS NULL) AS without_time
FROM readings
