CREATE OR REPLACE TEMP TABLE candidate (
    id VARCHAR,
    rank INTEGER,
    device INTEGER,
    slot_first BIGINT,
    slot_last BIGINT,
    score DOUBLE,
    numbers MAP(VARCHAR, DOUBLE)
);
CREATE OR REPLACE TEMP TABLE replayed (
    id VARCHAR,
    name VARCHAR,
    slot_first BIGINT,
    slot_last BIGINT,
    numbers MAP(VARCHAR, DOUBLE)
)
