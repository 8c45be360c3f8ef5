-- @include ./budget.lua

removeFeatures[#removeFeatures + 1] = uncountJob
