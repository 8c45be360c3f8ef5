#!lua flags=no-writes
--[[
  Reads in one step whether a queue has something to do now.

  KEYS[1] delayed jobs; all other keys share their slot
  ARGV[1] what all keys of the queue begin with

  Returns { jobs that wait, run or are due, a number that grows with each job and each end of one }
]]
local prefix = ARGV[1]
local due = redis.call("ZCOUNT", KEYS[1], "-inf", (nowMs() + 1) * DUE_SCALE)
local waiting = redis.call("LLEN", prefix .. "wait") + redis.call("ZCARD", prefix .. "prioritized") + heldCount(prefix)
local ended = redis.call("ZCARD", prefix .. "completed") + redis.call("ZCARD", prefix .. "failed")
local submitted = tonumber(redis.call("GET", prefix .. "id") or 0)
return { due + waiting + redis.call("LLEN", prefix .. "active"), submitted + ended }
