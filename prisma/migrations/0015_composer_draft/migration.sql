-- What somebody has typed into the form of a request and not filed yet. It belongs to its writer alone, gives nothing to
-- anybody, and goes away by itself.
CREATE TABLE composer_draft (
  person_id TEXT NOT NULL REFERENCES person (id) ON DELETE RESTRICT ON UPDATE CASCADE,
  subject TEXT NOT NULL,
  content JSONB NOT NULL,
  version TEXT NOT NULL,
  saved_at TIMESTAMPTZ(3) NOT NULL,
  PRIMARY KEY (person_id, subject),
  CHECK (octet_length(content::text) <= 262144)
);
CREATE INDEX composer_draft_saved_at_idx ON composer_draft (saved_at);
