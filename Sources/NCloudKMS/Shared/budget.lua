-- Hands out slots of one key's budget: the generic cell rate algorithm (ITU-T I.371) with this server's clock.
--
-- KEYS[1]  a hash of integers: `tat`, the theoretical arrival time in µs; after throttling `red`, the reduced rate,
--          `thr`, when the service throttled last, and `hlv`, when the rate was halved last, both in µs
-- ARGV     the configured rate in requests per 1,000 s; the slots wanted, 0 to report only; the longest wait in µs;
--          1 if the service throttled a request, else 0
-- Returns the slots granted, the time from now to the first one in µs (negative: at once), the interval between two in
-- µs, the current rate, and the time in µs.
local key = KEYS[1]
local configured, wanted, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local throttled = ARGV[4] == '1'

-- No slot is granted further ahead than this.
local HORIZON = 1000000
local SECOND = 1000000
-- A budget that nobody uses is forgotten after this many milliseconds. By then every rate has recovered.
local LIFE = 15000

local time = redis.call('TIME')
local now = time[1] * SECOND + time[2]

local fields = redis.pcall('HMGET', key, 'tat', 'red', 'thr', 'hlv')
if fields.err then
  if not string.find(fields.err, 'WRONGTYPE', 1, true) then return fields end
  redis.call('DEL', key)
  fields = {}
end

-- Anything that this script can't have stored counts as missing.
local function integer(text)
  if type(text) == 'string' and #text <= 16 and string.match(text, '^%d+$') then return tonumber(text) end
end
local function past(text)
  local instant = integer(text)
  if instant and instant <= now then return instant end
end
local tat = integer(fields[1])
local reduced, lastThrottling, lastHalving = integer(fields[2]), past(fields[3]), past(fields[4])

-- Each second without throttling restores a tenth of the configured rate.
local floor = math.min(1000, configured)
local rate = configured
if reduced and lastThrottling then
  local restored = math.floor(configured / 10) * math.floor((now - lastThrottling) / SECOND)
  rate = math.min(configured, math.max(reduced, floor) + restored)
end
if throttled then
  if not lastHalving or now - lastHalving >= SECOND then
    rate = math.max(math.floor(rate / 2), floor)
    lastHalving = now
  end
  redis.call('HSET', key, 'red', rate, 'thr', now, 'hlv', lastHalving)
end

local interval = math.ceil(1000000000 / rate)
local burst = math.max(math.floor(rate / 10000), 1)
local tolerance = (burst - 1) * interval
-- A time that is too far ahead was left by a clock that has been set back, or by a vandal.
if not tat or tat < now or tat > now + HORIZON + tolerance + (burst + 1) * interval then tat = now end

local first = tat - tolerance - now
local granted = 0
if wanted > 0 and first <= math.min(longest, HORIZON) then
  -- The further ahead the first slot is, the fewer are granted at a time. This is what makes the budget fair.
  local share = math.floor(burst * (HORIZON - math.max(first, 0)) / HORIZON)
  granted = math.min(wanted, burst, math.max(1, share))
  redis.call('HSET', key, 'tat', tat + granted * interval)
end
if granted > 0 or throttled then redis.call('PEXPIRE', key, LIFE) end
return { granted, first, interval, rate, now }
