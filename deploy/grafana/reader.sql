-- What the money dashboard may read, and nothing else. The user's password and limits are the server's administrator's:
--   sudo -u postgres createuser --pwprompt cf-billing-reader
--   sudo -u postgres psql -c 'ALTER ROLE "cf-billing-reader" SET default_transaction_read_only = on' \
--                         -c 'ALTER ROLE "cf-billing-reader" SET statement_timeout = 20000'
--   sudo -u cf-billing psql service=cf-billing -v ON_ERROR_STOP=1 -f deploy/grafana/reader.sql
-- The last one is as the owner of the book, by the service file of docs/operations.md; run it again after each upgrade: a view that was replaced has lost its grants.
-- No documents, addresses, bank accounts or raw usage events can be read with it; names of people's apps, orgs and spaces can.
BEGIN;
GRANT SELECT ON invoices, invoice_corrections, usage_by_day TO "cf-billing-reader";

-- What no view has.
GRANT SELECT (id, number, kind, status, account, account_name, month, period_start, period_end, time_zone, currency, net,
    estimated, drafted_at, corrects, reopens, uncountable) ON invoice TO "cf-billing-reader";
GRANT SELECT (invoice_id, foundation, organization_guid, organization_name, space_guid, space_name, kind, app_guid, app_name,
    service_instance_guid, service_instance_name, service_offering_name, service_plan_name, buildpack, started_at, meter,
    quantity, used, unit_size, price, amount, discount, days) ON invoice_line TO "cf-billing-reader";
GRANT SELECT (invoice_id, net, computed_at, reason) ON invoice_recalculation TO "cf-billing-reader";
GRANT SELECT (account, month, held_at, released_at, reason) ON invoice_hold TO "cf-billing-reader";
GRANT SELECT (id, name) ON foundation TO "cf-billing-reader";
GRANT SELECT (foundation_id, kind, at) ON anomaly TO "cf-billing-reader";
GRANT SELECT (foundation_id, number, stream, stage, reason, began_at, ended_at, found_at, ended, begun, changed) ON gap
    TO "cf-billing-reader";
COMMIT;
