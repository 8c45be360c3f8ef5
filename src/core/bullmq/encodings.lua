-- How BullMQ encodes order in the scores of its sorted sets.

-- A due time in milliseconds × 4096, so that up to 4096 jobs of one millisecond keep their order.
local DUE_SCALE = 4096
-- Priority × 2^32 + a turn, so that jobs of one priority keep their order.
local PRIORITY_SCALE = 0x100000000

return { DUE_SCALE = DUE_SCALE, PRIORITY_SCALE = PRIORITY_SCALE }
