-- @include ./budget.lua

retryFeatures[#retryFeatures + 1] = function(prefix, id) uncountJob(prefix, id, "failed") end
