placeFeatures[#placeFeatures + 1] = function(job, extras)
  if extras.fairness then redis.call("HSET", job.key, "turn", extras.fairness) end
end
