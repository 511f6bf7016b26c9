-- Who somebody is at the identity provider: issuer and subject together, as OpenID Connect Core 1.0 §5.7 asks. Accounts
-- are never joined by e-mail address, which whoever runs a provider can write as they like. An ended row stays: whoever
-- was one person here must not come back as a second one, who could approve what the first asks for.
CREATE TABLE person_identity (
  id TEXT PRIMARY KEY,
  person_id TEXT NOT NULL REFERENCES person (id) ON UPDATE CASCADE ON DELETE RESTRICT,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  created_at TIMESTAMPTZ(3) NOT NULL,
  last_used_at TIMESTAMPTZ(3) NOT NULL,
  ended_at TIMESTAMPTZ(3)
);
CREATE UNIQUE INDEX person_identity_issuer_subject_key ON person_identity (issuer, subject);
CREATE INDEX person_identity_person_id_idx ON person_identity (person_id);

-- A role that somebody has through a group of the provider ends when they leave the group, and sleeps when the provider
-- has not been heard of them for long; others are an admin's to end.
ALTER TABLE role_grant ADD COLUMN provider_group TEXT, ADD COLUMN lapses_at TIMESTAMPTZ(3);
