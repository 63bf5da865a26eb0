// Precompiled: the generated protobuf code and the standard headers that go with it.
#pragma once
#include "runfold/v1/api_failure.pb.h"
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "runfold/v1/operation.pb.h"
#include "runfold/v1/run.pb.h"

#include <boost/system/result.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>
