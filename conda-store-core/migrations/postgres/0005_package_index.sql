-- Which version of a channel's package list the index holds: what the next request for it is made conditional with.
CREATE TABLE cs_package_list (
    channel_id INTEGER NOT NULL REFERENCES conda_channel (id) ON DELETE CASCADE,
    subdir VARCHAR(64) NOT NULL,
    url TEXT NOT NULL,
    etag TEXT,
    last_modified TEXT,
    PRIMARY KEY (channel_id, subdir)
);
-- A digest of all that such a list says of each name, so that names that did not change are left alone.
CREATE TABLE cs_indexed_name (
    channel_id INTEGER NOT NULL REFERENCES conda_channel (id) ON DELETE CASCADE,
    subdir VARCHAR(64) NOT NULL,
    name VARCHAR(255) NOT NULL,
    digest VARCHAR(64) NOT NULL,
    PRIMARY KEY (channel_id, subdir, name)
);
-- The names of all packages, few beside their builds, and how many builds each has: a search reads nothing else to find
-- its page. Its row is also the lock of whoever adds or removes builds of the name.
CREATE TABLE cs_package_name (
    name VARCHAR(255) COLLATE "C" NOT NULL,
    channel_id INTEGER NOT NULL REFERENCES conda_channel (id) ON DELETE CASCADE,
    builds INTEGER NOT NULL,
    PRIMARY KEY (name, channel_id)
);
INSERT INTO cs_package_name (name, channel_id, builds)
    SELECT p.name, p.channel_id, count(*) FROM conda_package p JOIN conda_package_build pb ON pb.package_id = p.id
    WHERE p.channel_id IS NOT NULL GROUP BY p.name, p.channel_id;
