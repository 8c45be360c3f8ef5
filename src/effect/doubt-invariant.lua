#!lua flags=no-writes
--[[
  Looks whether anything about a doubt is stuck, among some of the jobs that have ended and some of the doubts. What the
  sweep is about to mend does not count: jobs that ended, and doubts that arose, within the grace.

  KEYS[1] failed   KEYS[2] completed   KEYS[3] doubts
  ARGV[1] how the keys of the queue begin   ARGV[2] how the names of ledgers begin   ARGV[3] how many to pass over, the latest
    first   ARGV[4] how many to look at   ARGV[5] milliseconds of grace

  Returns { unlisted: jobs that say in doubt and have nothing in doubt, stale: doubts that cannot be resolved, open: completed
  jobs with an effect reserved or in doubt, whether there was more to look at (0 or 1) }
]]
local until_ = nowMs() - ARGV[5]
local first, last = tonumber(ARGV[3]), ARGV[3] + ARGV[4] - 1
local unlisted, stale, open = {}, {}, {}

local function entries(claim)
  local found = {}
  local ledger = claim and redis.call("HGETALL", ARGV[2] .. claim) or {}
  for at = 1, #ledger, 2 do
    if string.sub(ledger[at], 1, 2) == "e:" then found[#found + 1] = cjson.decode(ledger[at + 1]) end
  end
  return found
end

local function hasInDoubt(id)
  for _, entry in ipairs(entries(redis.call("HGET", ARGV[1] .. id, "claim"))) do
    if entry.state == "in-doubt" then return true end
  end
  return false
end

local function hasOpen(id)
  for _, entry in ipairs(entries(redis.call("HGET", ARGV[1] .. id, "claim"))) do
    if entry.state ~= "done" and entry.job == id then return true end
  end
  return false
end

local function each(key, look)
  local found = redis.call("ZREVRANGE", key, first, last, "WITHSCORES")
  for at = 1, #found, 2 do
    if tonumber(found[at + 1]) <= until_ then look(found[at]) end
  end
  return #found / 2
end

local failed = each(KEYS[1], function(id)
  local reason = redis.call("HGET", ARGV[1] .. id, "failedReason") or ""
  if string.find(reason, "EFFECT_IN_DOUBT:", 1, true) == 1 and not hasInDoubt(id) then unlisted[#unlisted + 1] = id end
end)
local completed = each(KEYS[2], function(id)
  if hasOpen(id) then open[#open + 1] = id end
end)
local doubts = each(KEYS[3], function(member)
  local claim, effect = string.match(member, "^([^/]+)/(.+)$")
  local entry = claim and redis.call("HGET", ARGV[2] .. claim, "e:" .. effect)
  if not entry or cjson.decode(entry).state ~= "in-doubt" then stale[#stale + 1] = member end
end)
return { unlisted, stale, open, math.max(failed, completed, doubts) >= tonumber(ARGV[4]) and 1 or 0 }
