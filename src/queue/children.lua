-- How many children of a parent wait or run, have completed, have failed. Included by other scripts.
local function countChildren(parent)
  local dependencies = parent .. ":dependencies"
  local open = redis.call("SISMEMBER", dependencies, parent .. ":open")
  return redis.call("SCARD", dependencies) - open, redis.call("HLEN", parent .. ":processed"),
    redis.call("HLEN", parent .. ":failed") + redis.call("ZCARD", parent .. ":unsuccessful")
end
