-- How BullMQ encodes order in the scores of its sorted sets. Included by other scripts.

-- A due time in milliseconds × 4096, so that up to 4096 jobs of one millisecond keep their order.
local DUE_SCALE = 4096
-- Priority × 2^32 + a turn, so that jobs of one priority keep their order.
local PRIORITY_SCALE = 0x100000000
