-- @include ./tags.lua

removeFeatures[#removeFeatures + 1] = removeFromTags
