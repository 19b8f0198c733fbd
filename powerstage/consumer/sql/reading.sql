-- What is accepted of the devices of a batch: all that follows is in memory.
CREATE OR REPLACE TEMP TABLE reading AS
SELECT device, measure, slot, value FROM accepted WHERE batch = $batch
