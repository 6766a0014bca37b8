-- tarantool.lua - the job of callers.h in Tarantool: memtx, a stored procedure, every commit synced
-- usage: tarantool tarantool.lua FOLDER SEATS; listens on FOLDER/s
local folder, seats = arg[1], tonumber(arg[2])
local fiber = require('fiber')

box.cfg{
    listen = 'unix/:' .. folder .. '/s',
    work_dir = folder,
    wal_mode = 'fsync',            -- the log is opened with O_SYNC: durable before the answer
    memtx_memory = 4 * 1024 ^ 3,   -- no memory but what is used
    memtx_min_tuple_size = 16,
    checkpoint_interval = 0,       -- no snapshots meanwhile
    checkpoint_wal_threshold = 1e18,
    readahead = 1024 * 1024,       -- many requests in one read
    net_msg_max = 2048,           -- as many of them in work at a time, each in a fiber
    too_long_threshold = 60,
    log_level = 4,
}

local turns = box.schema.space.create('turns')
turns:format{{'token', 'unsigned'}, {'user', 'unsigned'}, {'until', 'number'}}
turns:create_index('primary', {type = 'hash', parts = {1, 'unsigned'}})
local places = box.schema.space.create('seats')
places:format{{'seat', 'unsigned'}, {'holder', 'unsigned'}, {'until', 'number'}}
places:create_index('primary', {type = 'hash', parts = {1, 'unsigned'}})

local users = seats / 100000 * 6250
local far = fiber.time() + 3600
for first = 0, math.max(users, seats) - 1, 5000 do
    box.begin()
    for n = first, first + 4999 do
        if n < users then
            local token = tonumber((n + 1) * 2654435761ULL % 4294967296ULL)
            turns:insert{token, n + 1, far}
        end
        if n < seats then places:insert{n, 0, 0} end
    end
    box.commit()
end

-- Nothing yields between reading the seat and changing it; the change is one transaction, and the
-- answer waits until it is in the log.
-- 1: held; 0: taken; -1: no turn; -2: no such seat
function hold(token, number, ttl)
    local now = fiber.time()
    local turn = turns:get(token)
    if turn == nil or turn[3] <= now then return -1 end
    local seat = places:get(number)
    if seat == nil then return -2 end
    if seat[2] ~= 0 and seat[3] > now then return 0 end
    places:update(number, {{'=', 2, turn[2]}, {'=', 3, now + ttl / 1000}})
    return 1
end

function held()
    local count = 0
    for _, seat in places:pairs() do
        if seat[2] ~= 0 then count = count + 1 end
    end
    return count
end

function settings() return box.cfg.wal_mode .. ' ' .. _TARANTOOL end

box.schema.user.grant('guest', 'read,write,execute', 'universe')
io.stdout:write('ready\n')
io.stdout:flush()
