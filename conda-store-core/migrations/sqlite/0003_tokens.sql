-- Tokens that were issued or revoked, by their hashes.
CREATE TABLE cs_token (
    id INTEGER NOT NULL PRIMARY KEY,
    sha256 VARCHAR(64) NOT NULL,
    name TEXT,
    owner TEXT NOT NULL,
    primary_namespace TEXT NOT NULL,
    role_bindings JSON NOT NULL,
    created_on DATETIME NOT NULL,
    expires_on DATETIME NOT NULL,
    revoked_on DATETIME
);
CREATE UNIQUE INDEX cs_token_sha256 ON cs_token (sha256);
CREATE INDEX cs_token_owner ON cs_token (owner, id);
CREATE INDEX cs_token_expires_on ON cs_token (expires_on);

-- Every request asks for the roles of whoever sends it.
CREATE INDEX cs_role_mapping_namespace ON namespace_role_mapping (namespace_id);
CREATE INDEX cs_role_mapping_other ON namespace_role_mapping_v2 (other_namespace_id);
