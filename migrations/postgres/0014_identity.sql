-- By what a foundation is known: where it was collected from, and who said that it may be from somewhere else.

CREATE TABLE foundation_identity (
    foundation_id bigint PRIMARY KEY REFERENCES foundation (id),
    api text,
    issuer text,
    links text,
    pinned_at timestamptz NOT NULL,
    after_organization bigint NOT NULL DEFAULT 0,
    after_space bigint NOT NULL DEFAULT 0,
    after_resource bigint NOT NULL DEFAULT 0,
    adopted_at timestamptz,
    adopted_by text,
    adopting boolean NOT NULL DEFAULT false,
    held_since timestamptz,
    held_reason text,
    held_detail text
);

COMMENT ON TABLE foundation_identity IS 'By what a foundation is known: where it was collected from, and who said that it may be from somewhere else.';
COMMENT ON COLUMN foundation_identity.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN foundation_identity.api IS 'Where it is collected from; null: not known, a book of an earlier version.';
COMMENT ON COLUMN foundation_identity.issuer IS 'Who issued its tokens, as last seen; null: they don''t say.';
COMMENT ON COLUMN foundation_identity.links IS 'JSON: where its API points to, as last seen.';
COMMENT ON COLUMN foundation_identity.pinned_at IS 'When address, issuer or links last changed.';
COMMENT ON COLUMN foundation_identity.after_organization IS 'Organizations up to this id are those of another foundation that had this name before.';
COMMENT ON COLUMN foundation_identity.after_space IS 'The same of spaces.';
COMMENT ON COLUMN foundation_identity.after_resource IS 'The same of resources.';
COMMENT ON COLUMN foundation_identity.adopted_at IS 'When somebody last said that it may be collected from there.';
COMMENT ON COLUMN foundation_identity.adopted_by IS 'Their name on the machine.';
COMMENT ON COLUMN foundation_identity.adopting IS 'Whatever answers next is taken for it.';
COMMENT ON COLUMN foundation_identity.held_since IS 'Collecting holds since then; null: it doesn''t.';
COMMENT ON COLUMN foundation_identity.held_reason IS 'Why it holds: api_changed or not_recognised.';
COMMENT ON COLUMN foundation_identity.held_detail IS 'Why it holds, in words.';
