-- Where the client's secret was sent at onboarding: another UAA isn't followed, unless it is configured.

ALTER TABLE foundation ADD COLUMN uaa TEXT;  -- scheme, host and port of the UAA in use; null: none was yet
