--[[
  Adds jobs to a queue, each unless another job has its deduplication key. Atomic: no key is held without its job.

  KEYS[1] epoch   KEYS[2] jobs added since the last memory check; all other keys share their slot
  ARGV[1] what all keys of the queue begin with   ARGV[2], ARGV[3] id and count of the epoch that the producer has seen
  ARGV[4] how many jobs may be added between two memory checks
  ARGV[5…] for each job: id, name, data, key as envelope.ts has it, options, deduplication key and its milliseconds, delay in milliseconds, priority,
    extras as place-job.lua has them

  Returns for each job what has its key, as keyHolder in job-id.ts reads it: false where it is this job, now added; 0 where there is no room.
  Then the epoch's count. "other-epoch" where nothing was done.
]]
-- @include ./add-all.lua

local FIELDS = 10
return addAll(FIELDS, addJob)
