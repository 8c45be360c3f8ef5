-- @include ./lanes.lua

placeFeatures[#placeFeatures + 1] = function(job, extras)
  return extras.lanes and joinLane(job.prefix, job.id, extras.lanes, job.mayRunAt, job.now, job.maxEvents)
end
