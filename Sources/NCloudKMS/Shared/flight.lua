-- Lets one of many processes fetch a key while the others wait for its entry.
--
-- KEYS[1]  the entry: a text that only processes with the same MAC key can write and check
-- KEYS[2]  the marker: the leader's id while it fetches the key; 0 after the service refused the leader
-- ARGV     a verb, the id of the process's fetch, and
--   ask ID SHA1         the entry, unless its SHA-1 is that one; else become the leader, or wait for the leader
--   renew ID            keep the marker
--   store ID ENTRY TTL SHA1  store the entry for that many milliseconds, unless a younger one is there whose SHA-1 is not
--                       that one; and give up the marker
--   release ID          give up the marker, so that another process leads
--   refuse ID FORGET    nobody leads for 2 s; with 1, delete the entry
-- Returns a word (`entry`, `lead`, `wait`, `alone`, `done`; `kept` instead of storing), the time in µs, and the entry.
local entryName, markerName = KEYS[1], KEYS[2]
local verb, id = ARGV[1], ARGV[2]

-- How long a marker lives that is not renewed, in milliseconds.
local LEADERSHIP = 1000
local REFUSAL = 2000
-- What lies further ahead of this server's clock is not the start of a fetch, in milliseconds.
local TOLERANCE = 5000
-- A longer text is not an entry. One more byte shows that.
local LONGEST_ENTRY = 4096

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- A name of another type counts as missing.
local function text(name)
  local value = redis.pcall('GET', name)
  if type(value) == 'table' and value.err then
    if not string.find(value.err, 'WRONGTYPE', 1, true) then return nil, value end
    redis.call('DEL', name)
    return nil
  end
  return value or nil
end

-- When the fetch of an entry began, in milliseconds; 0 for a text that is not an entry.
local function start(entry)
  local digits = #entry <= LONGEST_ENTRY and string.match(entry, '^1 (%d+) ')
  return digits and #digits <= 15 and tonumber(digits) or 0
end

local function isLeader() return text(markerName) == id end

if verb == 'ask' then
  local entry, failure = text(entryName)
  if failure then return failure end
  if entry then
    entry = string.sub(entry, 1, LONGEST_ENTRY + 1)
    if redis.sha1hex(entry) ~= ARGV[3] then return { 'entry', now, entry } end
  end
  local marker = text(markerName)
  -- A marker that would stay longer was not set by this script.
  local life = marker and redis.call('PTTL', markerName)
  if marker and (life < 0 or life > REFUSAL) then marker = nil end
  if marker == '0' then return { 'alone', now } end
  if marker and marker ~= id then return { 'wait', now } end
  redis.call('SET', markerName, id, 'PX', LEADERSHIP)
  return { 'lead', now }
elseif verb == 'renew' then
  if isLeader() then redis.call('PEXPIRE', markerName, LEADERSHIP) end
elseif verb == 'store' then
  local current, failure = text(entryName)
  if failure then return failure end
  local isYounger = current and start(current) > start(ARGV[3]) and start(current) <= now / 1000 + TOLERANCE
  local isKept = isYounger and redis.sha1hex(current) ~= ARGV[5]
  if not isKept then redis.call('SET', entryName, ARGV[3], 'PX', ARGV[4]) end
  if isLeader() then redis.call('DEL', markerName) end
  if isKept then return { 'kept', now } end
elseif verb == 'release' then
  if isLeader() then redis.call('DEL', markerName) end
elseif verb == 'refuse' then
  if ARGV[3] == '1' then redis.call('DEL', entryName) end
  if isLeader() then redis.call('SET', markerName, '0', 'PX', REFUSAL) end
end
return { 'done', now }
