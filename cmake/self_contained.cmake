# Libraries that one program takes into itself, and all others share.
#
# A program that starts and ends with each run of a connector pays for each library that the loader brings in: `runfold` takes
# half the time to start when its own are part of it (docs/adr/0004-runfold-is-one-file.md).

# runfold_library(NAME SHARED target ARCHIVES name...)
#
# runfold_NAME stands for the library `target`: for its archives in a program that has the property SELF_CONTAINED, when all of
# them are there, and for itself in any other. An archive named .so is shared in both.
function(runfold_library name)
  cmake_parse_arguments(ARG "" "SHARED" "ARCHIVES" ${ARGN})
  set(archives)
  foreach(archive IN LISTS ARG_ARCHIVES)
    get_filename_component(variable "${archive}" NAME_WE)
    find_library(RUNFOLD_ARCHIVE_${variable} "${archive}" NO_CACHE)
    if(NOT RUNFOLD_ARCHIVE_${variable})
      message(STATUS "No ${archive}: ${ARG_SHARED} stays a shared library of runfold, which starts later")
      set(archives)
      set_property(GLOBAL PROPERTY RUNFOLD_LACKS_ARCHIVES ON)
      break()
    endif()
    list(APPEND archives "${RUNFOLD_ARCHIVE_${variable}}")
  endforeach()

  add_library(runfold_${name} INTERFACE)
  target_include_directories(runfold_${name} SYSTEM INTERFACE $<TARGET_PROPERTY:${ARG_SHARED},INTERFACE_INCLUDE_DIRECTORIES>)
  target_compile_definitions(runfold_${name} INTERFACE $<TARGET_PROPERTY:${ARG_SHARED},INTERFACE_COMPILE_DEFINITIONS>)
  if(archives)
    set(contained "$<BOOL:$<TARGET_PROPERTY:SELF_CONTAINED>>")
    target_link_libraries(runfold_${name} INTERFACE "$<LINK_ONLY:$<${contained}:${archives}>>"
                                                    "$<LINK_ONLY:$<$<NOT:${contained}>:${ARG_SHARED}>>")
  else()
    target_link_libraries(runfold_${name} INTERFACE ${ARG_SHARED})
  endif()
endfunction()
