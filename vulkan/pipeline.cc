#include "vulkan/pipeline.h"

#include <optional>
#include <utility>

namespace moka::vulkan {
namespace {

constexpr uint32_t kGroupSizeId = 100;  // and 101, 102; see gpu::Launch

std::vector<int32_t> KeyOf(const gpu::Launch& launch) {
  std::vector<int32_t> key{launch.kernel, launch.group_size[0], launch.group_size[1], launch.group_size[2]};
  key.insert(key.end(), launch.spec.begin(), launch.spec.begin() + launch.num_spec);
  return key;
}

std::string DiskKey(const Context& context) {
  const VkPhysicalDeviceProperties& device = context.properties();
  const auto bytes = [](const uint8_t* id) { return std::string(reinterpret_cast<const char*>(id), VK_UUID_SIZE); };
  return StrCat("vulkan pipelines of ", device.deviceName, " vendor ", device.vendorID, " device ", device.deviceID,
                " driver ", device.driverVersion, " id ") +
         bytes(device.pipelineCacheUUID) + bytes(context.ids().deviceUUID) + bytes(context.ids().driverUUID);
}

}  // namespace

Result<std::unique_ptr<PipelineStore>> PipelineStore::Create(std::shared_ptr<Context> context, gpu::DiskCache disk) {
  std::unique_ptr<PipelineStore> store(new PipelineStore(std::move(context), std::move(disk)));
  MOKA_RETURN_IF_ERROR(store->MakeLayouts());
  MOKA_RETURN_IF_ERROR(store->MakeCache());
  return store;
}

PipelineStore::PipelineStore(std::shared_ptr<Context> context, gpu::DiskCache disk)
    : context_(std::move(context)), disk_(std::move(disk)), disk_key_(DiskKey(*context_)) {}

Status PipelineStore::MakeLayouts() {
  const Api& api = context_->api();
  std::array<VkDescriptorSetLayoutBinding, gpu::kMaxBuffers> bindings{};
  for (size_t i = 0; i < bindings.size(); ++i) {
    bindings[i] = {static_cast<uint32_t>(i), VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT,
                   nullptr};
  }
  const VkPushConstantRange params{VK_SHADER_STAGE_COMPUTE_BIT, 0, gpu::kMaxParamBytes};
  for (size_t buffers = 0; buffers < layouts_.size(); ++buffers) {
    auto set = Tagged<VkDescriptorSetLayoutCreateInfo>(VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO);
    set.bindingCount = static_cast<uint32_t>(buffers);
    set.pBindings = bindings.data();
    VkDescriptorSetLayout set_layout = VK_NULL_HANDLE;
    MOKA_RETURN_IF_ERROR(Check("vkCreateDescriptorSetLayout",
                               api.CreateDescriptorSetLayout(context_->device(), &set, nullptr, &set_layout)));
    set_layouts_[buffers] = DescriptorSetLayout(*context_, set_layout);
    auto info = Tagged<VkPipelineLayoutCreateInfo>(VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO);
    info.setLayoutCount = 1;
    info.pSetLayouts = &set_layout;
    info.pushConstantRangeCount = 1;
    info.pPushConstantRanges = &params;
    VkPipelineLayout layout = VK_NULL_HANDLE;
    MOKA_RETURN_IF_ERROR(
        Check("vkCreatePipelineLayout", api.CreatePipelineLayout(context_->device(), &info, nullptr, &layout)));
    layouts_[buffers] = PipelineLayout(*context_, layout);
  }
  return Status();
}

Status PipelineStore::MakeCache() {
  const Api& api = context_->api();
  const std::optional<std::string> kept = disk_.Load(disk_key_);
  auto info = Tagged<VkPipelineCacheCreateInfo>(VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO);
  if (kept.has_value()) {
    info.initialDataSize = kept->size();
    info.pInitialData = kept->data();
    saved_hash_ = gpu::Hash(*kept);
  }
  VkPipelineCache cache = VK_NULL_HANDLE;
  if (api.CreatePipelineCache(context_->device(), &info, nullptr, &cache) != VK_SUCCESS) {
    info.initialDataSize = 0;
    MOKA_RETURN_IF_ERROR(
        Check("vkCreatePipelineCache", api.CreatePipelineCache(context_->device(), &info, nullptr, &cache)));
  }
  cache_ = PipelineCache(*context_, cache);
  return Status();
}

Result<VkShaderModule> PipelineStore::Module(int32_t kernel) {
  const size_t index = static_cast<size_t>(kernel);
  if (modules_.size() <= index) modules_.resize(index + 1);
  if (modules_[index].get() == VK_NULL_HANDLE) {
    const gpu::KernelSource& source = gpu::Kernels()[index];
    auto info = Tagged<VkShaderModuleCreateInfo>(VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO);
    info.codeSize = source.spirv.size_bytes();
    info.pCode = source.spirv.data();
    VkShaderModule module = VK_NULL_HANDLE;
    MOKA_RETURN_IF_ERROR(
        Check("vkCreateShaderModule", context_->api().CreateShaderModule(context_->device(), &info, nullptr, &module)));
    modules_[index] = ShaderModule(*context_, module);
  }
  return modules_[index].get();
}

Result<VkPipeline> PipelineStore::Make(const gpu::Launch& launch) {
  const gpu::KernelSource& source = gpu::Kernels()[static_cast<size_t>(launch.kernel)];
  MOKA_ASSIGN_OR_RETURN(const VkShaderModule module, Module(launch.kernel));
  std::array<VkSpecializationMapEntry, gpu::kMaxSpec + 3> entries;
  std::array<int32_t, gpu::kMaxSpec + 3> words;
  uint32_t count = 0;
  const auto add = [&](uint32_t id, int32_t word) {
    entries[count] = {id, count * 4, 4};
    words[count++] = word;
  };
  for (uint32_t i = 0; i < static_cast<uint32_t>(launch.num_spec); ++i) add(i, launch.spec[i]);
  for (uint32_t i = 0; i < 3; ++i) add(kGroupSizeId + i, launch.group_size[i]);
  const VkSpecializationInfo specialization{count, entries.data(), count * 4, words.data()};
  auto info = Tagged<VkComputePipelineCreateInfo>(VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO);
  info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  info.stage.module = module;
  info.stage.pName = "main";
  info.stage.pSpecializationInfo = &specialization;
  info.layout = layout(source.buffers);
  VkPipeline pipeline = VK_NULL_HANDLE;
  const VkResult result =
      context_->api().CreateComputePipelines(context_->device(), cache_.get(), 1, &info, nullptr, &pipeline);
  if (result != VK_SUCCESS) return Check("vkCreateComputePipelines", result).WithContext(source.name);
  return pipeline;
}

Result<VkPipeline> PipelineStore::Get(const gpu::Launch& launch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<int32_t> key = KeyOf(launch);
  if (const auto found = pipelines_.find(key); found != pipelines_.end()) return found->second.get();
  MOKA_ASSIGN_OR_RETURN(const VkPipeline pipeline, Make(launch));
  pipelines_.emplace(std::move(key), Pipeline(*context_, pipeline));
  unsaved_ = true;
  return pipeline;
}

void PipelineStore::Save() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!std::exchange(unsaved_, false)) return;
  const Api& api = context_->api();
  size_t size = 0;
  if (api.GetPipelineCacheData(context_->device(), cache_.get(), &size, nullptr) != VK_SUCCESS) return;
  std::string data(size, '\0');
  if (api.GetPipelineCacheData(context_->device(), cache_.get(), &size, data.data()) != VK_SUCCESS) return;
  data.resize(size);
  const uint64_t hash = gpu::Hash(data);
  if (hash == saved_hash_) return;
  if (disk_.Store(disk_key_, data).ok()) saved_hash_ = hash;
}

int PipelineStore::pipelines() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return static_cast<int>(pipelines_.size());
}

}  // namespace moka::vulkan
