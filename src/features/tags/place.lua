-- @include ./tags.lua

placeFeatures[#placeFeatures + 1] = function(job, extras)
  for _, tag in ipairs(extras.tags or {}) do
    redis.call("ZADD", tagKey(job.prefix, tag), job.submittedAt, job.id)
    redis.call("ZADD", job.prefix .. "tags", "NX", job.submittedAt, tag)
  end
end
