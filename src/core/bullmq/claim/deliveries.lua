-- What BullMQ keeps of a job's deliveries to workers. `prefix` is what all keys of the queue begin with.

-- How often the job was delivered to a worker.
local function deliveryCount(prefix, id)
  return tonumber(redis.call("HGET", prefix .. id, "ats") or 0)
end

-- Whether it fails as soon as a worker gets it, without running.
local function isToFail(prefix, id)
  return redis.call("HEXISTS", prefix .. id, "defa") == 1
end

return { deliveryCount = deliveryCount, isToFail = isToFail }
