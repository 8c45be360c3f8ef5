--[[ that read how long jobs have waited. ]]

-- Since when a job can run: the end of its delay, or where it ran before, the start of its latest attempt. Nothing where it is gone.
local function readySince(prefix, id)
  local job = redis.pcall("HMGET", prefix .. id, "timestamp", "opts", "processedOn")
  local submitted = tonumber(job[1])
  if not submitted then return end
  local isReadable, opts = pcall(cjson.decode, job[2] or "{}")
  local delay = isReadable and type(opts) == "table" and tonumber(opts.delay) or 0
  return math.max(submitted + delay, tonumber(job[3] or 0) or 0)
end

return { readySince = readySince }
