--[[
  Reads a slice of a list of jobs and returns the ids of those that match. Atomic: the slice begins where the last one ended, also
  after jobs have left the list. Entries of an index whose jobs are gone are removed.
]]
local call = command({
  keys = {
    -- The list, sorted set or index; the jobs share its slot.
    "list",
  },
  arguments = {
    -- "list" (read from its tail), "head" (of a list), "by-id" or "by-id-descending" (of a short list, in the order of ids),
    -- "ascending", "descending", "index" (descending, entries can outlive their jobs) or "index-ascending"; of the set of those that
    -- wait for children, "held": those that are held in lanes, or "parents": the others.
    "kind",
    -- How many entries precede the slice.
    "offset",
    -- , which show whether they have left and joined again.
    "anchor",
    -- That id's score then; of "list" and "head" the last id that was read, its delivery count and that of.
    "anchorScore",
    -- How many to read at most.
    "readMax",
    -- How many may match at most.
    "matchMax",
    "prefix",
    -- The filter as JSON: scoreFrom, scoreTo (of the entries), type, code, others (all codes but `code`, where a reason with none of
    -- them counts as `code`), errorText (in lower case), messagePattern with codes (all of ours), keyPart (as JSON has it), from, to,
    -- endedFrom, endedTo, states; each may be absent.
    "filter",
  },
  returns = [[
    how many were read, whether the list ends here (1 or 0), how many entries precede the next slice, ARGV[3] and ARGV[4] of it,
    whether entries may have been passed over (1 or 0), then the ids that match
  ]],
  whenFull = "stops at its first write",
})
local claimed = require("../../core/bullmq/claim/deliveries")
local facts = require("../../core/bullmq/job-facts")
local states = require("../../core/bullmq/job-state")
local ownKeys = require("../../core/bullmq/own-key")
local messages = require("../../core/watch/message-pattern")

local kind, offset, anchor, anchorScore = call.kind, tonumber(call.offset), call.anchor, tonumber(call.anchorScore)
local readMax, matchMax, prefix = tonumber(call.readMax), tonumber(call.matchMax), call.prefix
local filter = cjson.decode(call.filter)
local isFiltered = next(filter) ~= nil
local isIndex = kind == "index" or kind == "index-ascending"
local isAscending = kind == "ascending" or kind == "index-ascending" or kind == "held" or kind == "parents"
local RANGE = isAscending and "ZRANGE" or "ZREVRANGE"
-- How far a list's next job is searched at once: as many as one act on a slice removes, twice.
local WINDOW = 1000
local lastRead, lastDeliveries, anchorDeliveries = string.match(call.anchorScore, "^(%S+) (%d+) (%d+)$")

-- The rank of the first entry behind the anchor, which has left or moved.
local function rankBehind()
  local low, high = 0, redis.call("ZCARD", call.list)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local id, score = unpack(redis.call(RANGE, call.list, middle, middle, "WITHSCORES"))
    score = tonumber(score)
    local isBefore = isAscending and (score < anchorScore or score == anchorScore and id <= anchor)
      or not isAscending and (score > anchorScore or score == anchorScore and id >= anchor)
    if isBefore then low = middle + 1 else high = middle end
  end
  return low
end

local function firstRank()
  if anchor == "" then
    -- Held jobs come first in their set.
    if kind == "parents" then return facts.heldCount(prefix) end
    if isAscending then return filter.scoreFrom and redis.call("ZCOUNT", call.list, "-inf", "(" .. filter.scoreFrom) or 0 end
    return filter.scoreTo and redis.call("ZCOUNT", call.list, filter.scoreTo, "+inf") or 0
  end
  if tonumber(redis.call("ZSCORE", call.list, anchor)) ~= anchorScore then return rankBehind() end
  return redis.call(isAscending and "ZRANK" or "ZREVRANK", call.list, anchor) + 1
end

-- Nobody has claimed a job in a list since, so it is where it was, if it is there.
local function isUnclaimed(id, deliveries)
  return deliveries and claimed.deliveryCount(prefix, id) == tonumber(deliveries)
end

-- How many precede an id, from the tail. Few can have joined before it: parents, and jobs of lost workers.
local function positionFromTail(id, deliveries)
  if not isUnclaimed(id, deliveries) then return end
  local length = redis.call("LLEN", call.list)
  local last = math.min(offset, length - 1)
  for at, found in ipairs(redis.call("LRANGE", call.list, -(last + 1), -(math.max(last - WINDOW, 0) + 1))) do
    if found == id then return last - at + 1 end
  end
  local position = redis.call("LPOS", call.list, id, "RANK", -1, "MAXLEN", last + 1 + WINDOW)
  return position and length - 1 - position
end

-- Workers take from the tail: if both are gone, so is what was before them, or it is read again.
local function firstFromTail()
  if anchor == "" then return 0 end
  local first = positionFromTail(anchor, anchorDeliveries)
  if first then return first end
  local before = positionFromTail(lastRead, lastDeliveries)
  return before and before + 1 or 0
end

local function positionFromHead(id, deliveries)
  return isUnclaimed(id, deliveries) and redis.call("LPOS", call.list, id)
end

local function isClaimed(id, deliveries)
  return deliveries and facts.jobExists(prefix, id) and not isUnclaimed(id, deliveries)
end

-- Any number may have joined before the anchor. Returns also whether entries may be passed over.
local function firstFromHead()
  if anchor == "" then return 0 end
  local first = positionFromHead(anchor, anchorDeliveries)
  if first then return first end
  local before = positionFromHead(lastRead, lastDeliveries)
  if before then return before + 1 end
  local length = redis.call("LLEN", call.list)
  -- Workers take from the tail: what is behind a job that they have claimed has left before it.
  if isClaimed(anchor, anchorDeliveries) or isClaimed(lastRead, lastDeliveries) then return length end
  return offset, offset < length
end

-- A short list whose entries leave and join in any order: their ids do not move.
local function sliceById()
  local isDescending, left = kind == "by-id-descending", {}
  for _, id in ipairs(redis.call("LRANGE", call.list, 0, -1)) do
    if anchor == "" or isDescending and id < anchor or not isDescending and id > anchor then left[#left + 1] = id end
  end
  table.sort(left, isDescending and function(a, b) return a > b end or nil)
  return left, {}, #left <= readMax
end

-- Returns ids and scores, and whether there is nothing behind them.
local function sortedSlice(first)
  local ids, scores = {}, {}
  local most = kind == "held" and math.min(readMax, facts.heldCount(prefix) - first) or readMax
  if most <= 0 then return ids, scores, true end
  local entries = redis.call(RANGE, call.list, first, first + most - 1, "WITHSCORES")
  for at = 1, #entries, 2 do
    local score = tonumber(entries[at + 1])
    if not isAscending and filter.scoreFrom and score < filter.scoreFrom then return ids, scores, true end
    if isAscending and filter.scoreTo and score >= filter.scoreTo then return ids, scores, true end
    ids[#ids + 1], scores[#scores + 1] = entries[at], entries[at + 1]
  end
  return ids, scores, #ids < readMax
end

-- One more than is read: where the next slice begins.
local function headSlice(first)
  local ids = redis.call("LRANGE", call.list, first, first + readMax)
  return ids, {}, #ids <= readMax
end

local function listSlice(first)
  local ids, reversed = redis.call("LRANGE", call.list, -(first + readMax + 1), -(first + 1)), {}
  for at = #ids, 1, -1 do reversed[#reversed + 1] = ids[at] end
  return reversed, {}, #reversed <= readMax
end

-- A key that holds no hash has no fields.
local function field(id, name)
  local value = redis.pcall("HGET", prefix .. id, name)
  return type(value) == "string" and value
end

local patterns = {}
local function hasPattern(reason)
  local message = messages.messageOf(reason, filter.codes)
  -- Whoever can decrypt it looks again.
  if messages.isEncrypted(message) then return true end
  patterns[message] = patterns[message] or messages.messagePattern(message)
  return patterns[message] == filter.messagePattern
end

local function hasError(id)
  local reason = field(id, "failedReason")
  if not reason then return false end
  local code = facts.failureCode(reason)
  if filter.code and code ~= filter.code then
    if not filter.others or code and string.find(filter.others, " " .. code .. " ", 1, true) then return false end
  end
  if filter.messagePattern and not hasPattern(reason) then return false end
  if not filter.errorText then return true end
  local message = code and string.sub(reason, #code + 3) or reason
  -- Whoever can decrypt it looks again.
  return messages.isEncrypted(message) or string.find(string.lower(message), filter.errorText, 1, true) ~= nil
end

-- A submission begins with its key, which ends before this.
local KEY_BYTES = 2048

-- One that is encrypted, and what else has the same text, is looked at again.
local function hasKeyPart(id)
  local text = ownKeys.ownKey(prefix, id) or field(id, "data")
  if not text then return false end
  if string.find(text, '^"hf1%.') then return true end
  return string.find(string.sub(text, 1, KEY_BYTES), filter.keyPart, 1, true) ~= nil
end

local function isWithin(id, name, from, to)
  if not from and not to then return true end
  local at = tonumber(field(id, name)) or 0
  return (not from or at >= from) and (not to or at < to)
end

local function isInState(id)
  if not filter.states then return true end
  local state = states.jobState(prefix, id)
  for _, wanted in ipairs(filter.states) do
    if state == wanted then return true end
  end
  return false
end

-- One field after the other: most jobs fail by the first, and a read costs as much as all the rest.
local function matches(id)
  return (not filter.code and not filter.errorText and not filter.messagePattern or hasError(id)) and
    (not filter.type or field(id, "name") == filter.type) and
    isWithin(id, "timestamp", filter.from, filter.to) and
    isWithin(id, "finishedOn", filter.endedFrom, filter.endedTo) and isInState(id) and
    (not filter.keyPart or hasKeyPart(id))
end

local function isGone(id)
  if not isIndex or facts.jobExists(prefix, id) then return false end
  redis.call("ZREM", call.list, id)
  return true
end

local isList = kind == "list" or kind == "head"
local firsts = { list = firstFromTail, head = firstFromHead, ["by-id"] = function() return offset end }
firsts["by-id-descending"] = firsts["by-id"]
local slices = { list = listSlice, head = headSlice, ["by-id"] = sliceById, ["by-id-descending"] = sliceById }
local first, mayPassOver = (firsts[kind] or firstRank)()
local ids, scores, isEnd = (slices[kind] or sortedSlice)(first)
local count = math.min(#ids, readMax)
local FIELDS = 6
local found = { 0, isEnd and 1 or 0, first, anchor, call.anchorScore, mayPassOver and 1 or 0 }
for read = 1, count do
  local id = ids[read]
  found[1] = read
  if isGone(id) then first = first - 1 elseif not isFiltered or matches(id) then found[#found + 1] = id end
  found[3], found[4], found[5] = first + read, isList and (ids[read + 1] or "") or id, scores[read] or ""
  if #found - FIELDS == matchMax then
    found[2] = isEnd and read == count and 1 or 0
    break
  end
end
if isList and found[4] ~= "" and found[1] > 0 then
  local last = ids[found[1]]
  found[5] = last .. " " .. claimed.deliveryCount(prefix, last) .. " " .. claimed.deliveryCount(prefix, found[4])
end
return found
