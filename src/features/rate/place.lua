-- @include ./tokens.lua

-- A delayed job, and one that is held already, ask for a token when they are claimed.
placeFeatures[#placeFeatures + 1] = function(job, extras)
  local rate = extras.rate
  if not rate then return end
  rate.number = countAsking(job.prefix)
  writeAsks(job.prefix, job.id, rate, rate.number)
  if job.isHeld or job.mayRunAt > job.now then return end
  return not admit(job.prefix, job.id, rate, job.now, job.maxEvents)
end
