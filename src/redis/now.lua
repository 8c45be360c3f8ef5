-- Redis's time, in milliseconds since 1970. Included by other scripts.
local function nowMs()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
