#!lua flags=allow-oom
--[[
  Looks before a job completes for what its earlier attempts have left open: a handler need not ask for the same effects each
  time, and a completed job must leave nothing open.

  KEYS[1] ledger   KEYS[2] doubts
  ARGV[1] deduplication key   ARGV[2] job id   ARGV[3] delivery count of the attempt that asks
  ARGV[4] what all keys of the queue begin with

  Returns { "none" }, { "in-doubt", effect } or { "busy", effect, ms, how often the job was deferred for that }
]]
-- @include ./entries.lua
-- @include ../../bullmq/claim/lease.lua

if (redis.call("HGET", KEYS[1], "open") or "0") == "0" then return { "none" } end
local now = nowMs()
local busy
for effect, entry in pairs(readEntries(KEYS[1])) do
  local isMine = entry.job == ARGV[2] and entry.delivery == tonumber(ARGV[3])
  if entry.state == "in-doubt" then return { "in-doubt", effect } end
  if entry.state == "reserved" and not isMine then
    if now >= entry.deadline then
      putInDoubt(KEYS[2], KEYS[1], ARGV[1], effect, entry, "its worker did not report before the deadline")
      return { "in-doubt", effect }
    end
    busy = { "busy", effect, entry.deadline - now }
  end
end
if not busy then return { "none" } end
busy[4] = countDeferral(ARGV[4], ARGV[2])
return busy
