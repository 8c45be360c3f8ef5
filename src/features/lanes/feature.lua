-- What a job of a lane does at the points of its path.
local laneSets = require("./lanes")
local lettingIn = require("./let-in")

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

return { place = place, retry = retry, ended = ended, read = read }
