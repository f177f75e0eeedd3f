-- Who did what, or opened which document.

CREATE TABLE audit_entry (
    number  bigint PRIMARY KEY CHECK (number > 0),
    batch   bigint      NOT NULL,
    at      timestamptz NOT NULL,
    who     text        NOT NULL,
    way     text        NOT NULL,
    origin  text,
    request text,
    deed    text        NOT NULL,
    subject text        NOT NULL,
    before  text,
    after   text
);

CREATE TABLE audit_link (
    batch       bigint PRIMARY KEY CHECK (batch > 0),
    last_number bigint NOT NULL,
    link        text   NOT NULL
);

CREATE TRIGGER audit_entry_stays BEFORE UPDATE OR DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change('the audit log never changes');
CREATE TRIGGER audit_is_not_truncated BEFORE TRUNCATE ON audit_entry
    EXECUTE FUNCTION refuse_change('the audit log never changes');
CREATE TRIGGER audit_link_stays BEFORE UPDATE OR DELETE ON audit_link
    FOR EACH ROW EXECUTE FUNCTION refuse_change('the audit log never changes');
CREATE TRIGGER audit_links_are_not_truncated BEFORE TRUNCATE ON audit_link
    EXECUTE FUNCTION refuse_change('the audit log never changes');

COMMENT ON TABLE audit_entry IS 'Who did what, or opened which document.';
COMMENT ON COLUMN audit_entry.number IS '1, 2, 3 …';
COMMENT ON COLUMN audit_entry.batch IS 'The batch it was written with.';
COMMENT ON COLUMN audit_entry.at IS 'When it was.';
COMMENT ON COLUMN audit_entry.who IS 'A token''s name, ISSUER/SUBJECT, or the user of a command.';
COMMENT ON COLUMN audit_entry.way IS 'api, page or command.';
COMMENT ON COLUMN audit_entry.origin IS 'The address that it came from, or the host of a command.';
COMMENT ON COLUMN audit_entry.request IS 'The id of the request, as in the log.';
COMMENT ON COLUMN audit_entry.deed IS 'What was done.';
COMMENT ON COLUMN audit_entry.subject IS 'To what: a number, or an account and a month.';
COMMENT ON COLUMN audit_entry.before IS 'What it was before, JSON.';
COMMENT ON COLUMN audit_entry.after IS 'What it is since, JSON.';
COMMENT ON TABLE audit_link IS 'The hash chain over the audit log, a link for each batch.';
COMMENT ON COLUMN audit_link.batch IS '1, 2, 3 …';
COMMENT ON COLUMN audit_link.last_number IS 'The last entry of the batch.';
COMMENT ON COLUMN audit_link.link IS 'SHA-256 of the link before and the entries.';
