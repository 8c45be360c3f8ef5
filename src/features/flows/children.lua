-- How many children of a parent wait or run, have completed, have failed.

local function countChildren(parent)
  -- A key of another type holds no children, and must not keep others from being read.
  local function size(command, ...)
    local found = redis.pcall(command, ...)
    return tonumber(found) or 0
  end
  local dependencies = parent .. ":dependencies"
  return size("SCARD", dependencies) - size("SISMEMBER", dependencies, parent .. ":open"), size("HLEN", parent .. ":processed"),
    size("HLEN", parent .. ":failed") + size("ZCARD", parent .. ":unsuccessful")
end

return { countChildren = countChildren }
