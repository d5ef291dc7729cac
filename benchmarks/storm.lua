-- wrk's load: every request is a new group. Arguments: bearer token, tag, file of the body with "@@@@@@@@@@" for the number.
local pieces, tag, count, threads = {}, "", 0, 0

function setup(thread)
  threads = threads + 1
  thread:set("number_of_thread", threads)
end

function init(arguments)
  tag = arguments[2] .. number_of_thread
  local rest = io.open(arguments[3]):read("*a")
  while true do
    local from, to = rest:find("@@@@@@@@@@", 1, true)
    pieces[#pieces + 1] = rest:sub(1, (from or #rest + 1) - 1)
    if not from then break end
    rest = rest:sub(to + 1)
  end
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. arguments[1]
end

function request()
  count = count + 1
  return wrk.format(nil, nil, nil, table.concat(pieces, string.format("%s%0" .. 10 - #tag .. "d", tag, count)))
end

function done(summary, latency, _)
  print(string.format('{"replies": %d, "refused": %d, "broken": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f}',
    summary.requests, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
