-- The role that the function signs in as: it may read the ledgers and nothing else. All of it or nothing is done.
-- Run once by an administrator, and again whenever a table is replaced:  psql "$ADMIN_URL" -f scripts/read_only_role.sql
-- with other names:  psql "$ADMIN_URL" -v schema=core -v tables=ledgers,ledgers_scoring -v role=scoring -f ...
-- Afterwards give it a password:  \password riskscore_reader
\set ON_ERROR_STOP on
\if :{?role}
\else
\set role riskscore_reader
\endif
\if :{?schema}
\else
\set schema public
\endif
\if :{?tables}
\else
\set tables bank_transactions,bank_transactions_scoring
\endif

BEGIN;
SET LOCAL riskscore.role = :'role';
SET LOCAL riskscore.schema = :'schema';
SET LOCAL riskscore.tables = :'tables';

DO $$
DECLARE
    reader text := current_setting('riskscore.role');
    place text := current_setting('riskscore.schema');
    ledger text;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = reader) THEN
        EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', reader);
    END IF;
    EXECUTE format('ALTER ROLE %I SET default_transaction_read_only = on', reader);
    EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', reader, '10s');
    -- PostgreSQL 14 and older let everybody create tables in public.
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', place);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', place, reader);
    FOREACH ledger IN ARRAY string_to_array(current_setting('riskscore.tables'), ',') LOOP
        EXECUTE format('GRANT SELECT ON %I.%I TO %I', place, trim(ledger), reader);
    END LOOP;
END
$$;
COMMIT;
