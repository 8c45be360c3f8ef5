--[[
  Reads a slice of one list of jobs and returns the ids of those that match. Atomic: the id that was read last still says where
  the slice begins.

  KEYS[1] the list, or sorted set; the jobs share its slot
  ARGV[1] "list" (read from its tail), "ascending", "descending"; of the set of those that wait for children, "held": those
    that are held in lanes, or "parents": the others
  ARGV[2] how many to skip   ARGV[3] instead, where a sorted set still has it: the id that was read last
  ARGV[4] how many to read at most   ARGV[5] how many may match at most
  ARGV[6] what all keys of the queue begin with
  ARGV[7] type, ARGV[8] code, ARGV[9] submitted at or after, ARGV[10] submitted before; each empty where any matches
  ARGV[11] all codes but ARGV[8], where a reason with none of them counts as ARGV[8]; otherwise empty

  Returns how many were read, how many to skip next, the id that was read last, then the ids that match
]]
local typeOf = type
local kind, type, code, from, to, others = ARGV[1], ARGV[7], ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10]), ARGV[11]
local isFiltered = type ~= "" or code ~= "" or from or to

local function firstToRead()
  if kind == "list" or ARGV[3] == "" then return tonumber(ARGV[2]) end
  local rank = redis.call(kind == "descending" and "ZREVRANK" or "ZRANK", KEYS[1], ARGV[3])
  return rank and rank + 1 or tonumber(ARGV[2])
end

-- Held jobs come first in their set.
local function firstOfKind(first)
  return kind == "parents" and math.max(first, heldCount(ARGV[6])) or first
end

local function slice(first, count)
  if kind == "held" then count = math.min(count, heldCount(ARGV[6]) - first) end
  if count <= 0 then return {} end
  if kind == "ascending" or kind == "held" or kind == "parents" then return redis.call("ZRANGE", KEYS[1], first, first + count - 1) end
  if kind == "descending" then return redis.call("ZREVRANGE", KEYS[1], first, first + count - 1) end
  local ids, reversed = redis.call("LRANGE", KEYS[1], -(first + count), -(first + 1)), {}
  for at = #ids, 1, -1 do reversed[#reversed + 1] = ids[at] end
  return reversed
end

-- A key that holds no hash has no fields.
local function field(id, name)
  local value = redis.pcall("HGET", ARGV[6] .. id, name)
  return typeOf(value) == "string" and value
end

local function hasCode(id)
  local reason = field(id, "failedReason")
  if not reason then return false end
  local found = failureCode(reason)
  return found == code or others ~= "" and not (found and string.find(others, " " .. found .. " ", 1, true))
end

local function isWithin(id)
  local submitted = tonumber(field(id, "timestamp")) or 0
  return (not from or submitted >= from) and (not to or submitted < to)
end

-- One field after the other: most jobs fail by the first, and a read costs as much as all the rest.
local function matches(id)
  return (code == "" or hasCode(id)) and (type == "" or field(id, "name") == type) and
    ((not from and not to) or isWithin(id))
end

local first = firstOfKind(firstToRead())
local ids = slice(first, tonumber(ARGV[4]))
local found = { 0, first, "" }
for read, id in ipairs(ids) do
  found[1], found[2], found[3] = read, first + read, id
  if not isFiltered or matches(id) then found[#found + 1] = id end
  if #found - 3 == tonumber(ARGV[5]) then break end
end
return found
