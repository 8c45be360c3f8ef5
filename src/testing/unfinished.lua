--[[
  Reads in one step whether a queue has something to do now.
]]
local call = command({
  keys = {
    -- Delayed jobs.
    "delayed",
  },
  arguments = { "prefix" },
  returns = [[{ jobs that wait, run or are due, a number that grows with each job and each end of one }]],
  whenFull = "writes nothing",
})
local encodings = require("../core/bullmq/encodings")
local heldToRun = require("point:heldToRun")
local clock = require("../platform/redis/now")

local prefix = call.prefix

local function countHeld()
  local count = 0
  for _, ofFeature in ipairs(heldToRun) do count = count + ofFeature(prefix) end
  return count
end

local due = redis.call("ZCOUNT", call.delayed, "-inf", (clock.nowMs() + 1) * encodings.DUE_SCALE)
local waiting = redis.call("LLEN", prefix .. "wait") + redis.call("ZCARD", prefix .. "prioritized") + countHeld()
local ended = redis.call("ZCARD", prefix .. "completed") + redis.call("ZCARD", prefix .. "failed")
local submitted = tonumber(redis.call("GET", prefix .. "id") or 0)
return { due + waiting + redis.call("LLEN", prefix .. "active"), submitted + ended }
