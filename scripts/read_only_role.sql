-- The role that the function signs in as: it may read the ledgers and nothing else.
-- Run once by an administrator, and again whenever a table is replaced:  psql "$ADMIN_URL" -f scripts/read_only_role.sql
-- Afterwards give it a password:  \password riskscore_reader

DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'riskscore_reader') THEN
        CREATE ROLE riskscore_reader LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
END
$$;

ALTER ROLE riskscore_reader SET default_transaction_read_only = on;
ALTER ROLE riskscore_reader SET statement_timeout = '10s';

-- PostgreSQL 14 and older let everybody create tables in public.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

GRANT USAGE ON SCHEMA public TO riskscore_reader;
GRANT SELECT ON bank_transactions, bank_transactions_scoring TO riskscore_reader;
