-- What builds say while they run, for those who watch them; numbers without gaps, in the order in which they came.
CREATE TABLE cs_build_event (
    build_id INTEGER NOT NULL REFERENCES build (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    happened_on TIMESTAMP NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (build_id, number)
);
CREATE INDEX cs_build_event_happened_on ON cs_build_event (happened_on);
