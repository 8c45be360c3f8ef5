-- What a job of a lane does at the points of its path.
local laneSets = require("./lanes")
local lettingIn = require("./let-in")
local names = require("../../core/bullmq/names")

local function place(placing, job, extras)
  return extras.lanes and laneSets.joinLane(placing, job, extras.lanes)
end

local function retry(prefix, id, now)
  local lane = laneSets.laneOf(prefix, id)
  if lane then lettingIn.rejoinLane(prefix, id, lane, now) end
  return lane
end

local function ended(prefix, id, _, now)
  local lane = laneSets.laneOf(prefix, id)
  if lane then lettingIn.leaveLane(prefix, id, lane, now) end
end

-- The lane that holds a job, how many jobs are before it there, and the limit.
local function read(prefix, id, isHeld)
  if not isHeld then return end
  local lane, limit = laneSets.laneOf(prefix, id)
  local score = lane and redis.call("ZSCORE", prefix .. "lane:" .. lane, id)
  -- One that is under way can be held by something else.
  if not score or tonumber(score) == 0 then return end
  return "held", { lane, redis.call("ZRANK", prefix .. "lane:" .. lane, id), tonumber(limit) }
end

local function waitsForItsTime(prefix, id)
  return names.delayedUntil(prefix, id) or redis.call("HGET", prefix .. id, "heldAs")
end

-- How many held jobs run as soon as others of their lane have, none of which waits for its time, as jobs do that a rate holds. For
-- tests: it reads all of them.
local function heldToRun(prefix)
  local count = 0
  for _, id in ipairs(redis.call("ZRANGEBYSCORE", prefix .. "waiting-children", "-inf", "(0")) do
    local lane = laneSets.laneOf(prefix, id)
    local first = lane and redis.call("ZRANGE", prefix .. "lane:" .. lane, 0, 0)[1]
    if first and first ~= id and not waitsForItsTime(prefix, first) then count = count + 1 end
  end
  return count
end

return { place = place, retry = retry, ended = ended, read = read, heldToRun = heldToRun }
